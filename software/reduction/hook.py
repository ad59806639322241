"""The hook on a transformer: it counts steps, says which are full, and keeps the index pairs.

Neither pipelines nor transformers say which step they are at, so calls are counted, for each of
diffusers' cache contexts (conditional, unconditional, ...) by itself. Only index pairs outlive a
call. The count starts anew when the pipeline ends (diffusers resets stateful hooks then), when the
video's size changes, and when time runs back, as after a run that was interrupted. A batch of
another size only loses its pairs: the step is full and matches.

``torch.compile`` leaves the hook and the attention processors out, and compiles what is between.
"""

import inspect
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from diffusers.hooks import ModelHook
from diffusers.hooks.hooks import BaseState, CacheContext, StateManager
from torch import nn

from software.config import OrbisConfig
from software.families import Family, Grid
from software.matchers import Matcher, Request
from software.reduction.attention import Shown
from software.reduction.rows import LayerRows, Pairs, Rows, rows_of

HOOK = "orbis"
"""The hook's name in a transformer's registry."""
_OUTSIDE = "no cache context"


@dataclass
class Usage:
    """Totals since patching: rows are video-token rows, summed over layers and batch."""

    full_steps: int = 0
    reduced_steps: int = 0
    rows_full: int = 0
    rows_reduced: int = 0
    rows_dropped: int = 0
    matchings: int = 0
    attention_seconds: float = 0.0
    matching_seconds: float = 0.0

    @property
    def reduction(self) -> float:
        """Share of rows dropped over all steps."""
        rows = self.rows_full + self.rows_reduced
        return self.rows_dropped / rows if rows else 0.0

    @property
    def reduction_rc(self) -> float:
        """Share of rows dropped over the reduced steps alone."""
        return self.rows_dropped / self.rows_reduced if self.rows_reduced else 0.0


@dataclass(frozen=True)
class Shape:
    """What pairs belong to: they are of no use for a video of another size, batch or place."""

    grid: Grid
    batch: int
    device: torch.device


class ContextState(BaseState):
    """One context's place in its run, and the latest pairs and rows of each layer and video."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the run."""
        self.step = -1
        self.last_match: int | None = None
        self.shape: Shape | None = None
        self.times: list[float] = []
        self.found: dict[int, list[Any]] = {}
        self.rows: dict[int, list[LayerRows]] = {}

    def advance(self, shape: Shape, moment: float | None) -> None:
        """Go to the next step, or to the first one of a new run."""
        if self.shape is not None and shape != self.shape:
            if shape.grid != self.shape.grid:
                self.reset()
            self.last_match, self.found, self.rows = None, {}, {}
        if moment is not None:
            if self._runs_back(moment):
                self.reset()
            self.times = [*self.times[-1:], moment]
        self.shape = shape
        self.step += 1

    def _runs_back(self, moment: float) -> bool:
        """Whether a step goes against the direction of the two before."""
        if len(self.times) < 2:
            return False
        before, last = self.times
        return (last - before) * (moment - last) < 0


@dataclass
class _Now:
    """The call that is under way."""

    state: ContextState
    grid: Grid
    full: bool
    matching: bool
    calls: int = 0
    ran: set[int] = field(default_factory=set)


class OrbisHook(ModelHook):
    """See the module; made by ``software.apply_orbis``.

    Attributes:
        config: what was asked for.
        family: the transformer's.
        layers: number and path of each patched layer.
        usage: what was done so far.
    """

    _is_stateful = True

    def __init__(
        self,
        config: OrbisConfig,
        family: Family,
        layers: Mapping[int, str],
        matcher: Matcher,
        num_steps: Callable[[], int | None],
    ) -> None:
        super().__init__()
        self.config, self.family, self.layers = config, family, dict(layers)
        self.guide, self.proportional = config.guide, config.proportional
        self.usage = Usage()
        self._matcher, self._num_steps = matcher, num_steps
        self._states = StateManager(ContextState)
        self._now: _Now | None = None
        self._signature: inspect.Signature | None = None

    def initialize_hook(self, module: nn.Module) -> nn.Module:
        """Keep the signature of the forward, to know its arguments by name."""
        self._signature = inspect.signature(module.forward)
        return module

    @torch.compiler.disable
    def pre_forward(self, module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        """Decide what kind of step this is."""
        assert self._signature is not None
        given = self._signature.bind(*args, **kwargs).arguments
        hidden = given["hidden_states"]
        grid = self.family.grid(module, given)
        state = self._state()
        state.advance(Shape(grid, len(hidden), hidden.device), _moment(given.get("timestep")))
        steps = self._steps()
        since = None if state.last_match is None else state.step - state.last_match
        full = self.config.is_full(state.step, since, steps)
        matching = full and self.config.ratio > 0 and self.config.matches(state.step, steps)
        if full and self.config.matches(state.step, steps):
            state.last_match = state.step
        self._now = _Now(state, grid, full, matching)
        return args, kwargs

    @torch.compiler.disable
    def post_forward(self, module: nn.Module, output: Any) -> Any:
        """Check that every patched layer ran: a no-op is an error."""
        now, self._now = self._now, None
        assert now is not None
        missing = [path for number, path in self.layers.items() if number not in now.ran]
        if missing:
            raise RuntimeError(
                f"{len(missing)} of {len(self.layers)} patched layers did not run in step "
                f"{now.state.step}, {missing[0]} first: something else skips them or has replaced "
                "their attention processor."
            )
        self.usage.full_steps += now.full
        self.usage.reduced_steps += not now.full
        return output

    def reset_state(self, module: nn.Module) -> nn.Module:
        """Start the next run from its first step; diffusers calls it when a pipeline ends."""
        self._states.reset()
        self._now = None
        return module

    def rows(self, layer: int) -> list[LayerRows] | None:
        """See software.reduction.attention.Steps; so for the next three."""
        if self._now is None:
            raise RuntimeError(
                f"layer {self.layers[layer]} ran outside of its transformer's forward; "
                "token reduction needs the whole model's call to know the step."
            )
        if self._now.full:
            return None
        return self._now.state.rows.get(layer) or [LayerRows(Rows(), Rows())]

    @property
    def matching(self) -> bool:
        """Whether this step matches."""
        return self._now is not None and self._now.matching

    def match(self, layer: int, shown: list[Shown]) -> float:
        """Match each video of the batch."""
        begun = time.perf_counter()
        assert self._now is not None
        state, grid = self._now.state, self._now.grid
        num_tokens = math.prod(grid)
        num_dst, reduce = self.config.counts(num_tokens)
        previous = state.found.get(layer, [None] * len(shown))
        found = [
            self._matcher(tokens, Request(layer, state.step, grid, num_dst, reduce, before))
            for tokens, before in zip(shown, previous, strict=True)
        ]
        state.found[layer] = found
        state.rows[layer] = [self._layer_rows(pairs, num_tokens) for pairs in found]
        self.usage.matchings += len(shown)
        seconds = time.perf_counter() - begun
        self.usage.matching_seconds += seconds
        return seconds

    def note(self, layer: int, rows: int, dropped: int, seconds: float) -> None:
        """Count a layer's run."""
        assert self._now is not None
        self._now.ran.add(layer)
        self.usage.attention_seconds += seconds
        if self._now.full:
            self.usage.rows_full += rows
        else:
            self.usage.rows_reduced += rows
            self.usage.rows_dropped += dropped

    def _layer_rows(self, found: Pairs | tuple[Pairs, Pairs], num_tokens: int) -> LayerRows:
        if isinstance(found, tuple):
            query, key_value = (rows_of(pairs, num_tokens) for pairs in found)
        else:
            query = key_value = rows_of(found, num_tokens)
        return LayerRows(query, Rows() if self.config.targets == "q" else key_value)

    def _state(self) -> ContextState:
        """The state of the context that the model is called in."""
        try:
            name = self._states.context.name
        except ValueError:  # called outside of a pipeline
            name = _OUTSIDE
            self._states.set_context(CacheContext(name))
        state: ContextState = self._states.get_state()
        return state

    def _steps(self) -> int | None:
        """Steps of this run, None where nobody knows."""
        return self._states.context.num_inference_steps or self._num_steps()


def _moment(timestep: Any) -> float | None:
    """A step's time, whatever its form; the latest where tokens have times of their own."""
    if timestep is None:
        return None
    return float(torch.as_tensor(timestep).max())
