"""Which cache context of diffusers a call is made in, and when a pipeline ends."""

from diffusers.hooks import ModelHook
from diffusers.hooks.hooks import BaseState, CacheContext, StateManager
from torch import nn

from software.library.reduction.step_counter import StepCounter


class ContextHook(ModelHook):
    """Is told the cache context, and resets the run when diffusers resets its hooks."""

    _is_stateful = True

    def __init__(self, counter: StepCounter) -> None:
        super().__init__()
        self._counter = counter
        self._manager = StateManager(BaseState)  # diffusers looks for one among the attributes

    @property
    def context(self) -> CacheContext | None:
        """The cache context that the model is called in."""
        try:
            return self._manager.context
        except ValueError:
            return None

    def reset_state(self, module: nn.Module) -> nn.Module:
        """End the run; pipelines call it when they end."""
        self._manager.reset()
        self._counter.reset()
        return module
