"""Tells, before a pipeline's first step, that its transformer is no longer the one patched."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from software.library.reduction.caller import transformers
from software.library.reduction.hook import TransformerHook

_METHOD = "progress_bar"
"""What every pipeline of diffusers calls before its first step."""


class ReplacedWatch:
    """Stands before a pipeline's progress bar, and refuses a run that nothing would be reduced in.

    Attributes:
        models: the transformers that were patched, by the pipeline's names for them.
    """

    def __init__(
        self, pipe: Any, models: Mapping[str, nn.Module], hooks: Mapping[str, TransformerHook]
    ) -> None:
        self._pipe, self.models, self._hooks = pipe, dict(models), dict(hooks)
        self._before: Callable[..., Any] | None = vars(pipe).get(_METHOD)
        setattr(pipe, _METHOD, self.progress_bar)

    def progress_bar(self, *given: Any, **named: Any) -> Any:
        """The pipeline's own, where its transformers are those that were patched."""
        now = transformers(self._pipe)
        for name, model in self.models.items():
            if self._hooks[name].attached and now.get(name) is not model:
                raise RuntimeError(
                    f"{name} of the pipeline was replaced since it was patched, and would run"
                    " unreduced: remove_orbis and apply_orbis again."
                )
        if self._before is not None:
            return self._before(*given, **named)
        return type(self._pipe).progress_bar(self._pipe, *given, **named)

    def remove(self) -> None:
        """Give the pipeline its progress bar back, unless someone stands before it since."""
        if watch_of(self._pipe) is self:
            delattr(self._pipe, _METHOD)
            if self._before is not None:
                setattr(self._pipe, _METHOD, self._before)


def watch_of(pipe: Any) -> ReplacedWatch | None:
    """The watch on a pipeline, if there is one."""
    method = vars(pipe).get(_METHOD) if hasattr(pipe, "__dict__") else None
    owner = getattr(method, "__self__", None)
    return owner if isinstance(owner, ReplacedWatch) else None
