"""The hooks on a transformer: they say which calls are full, and keep the index pairs.

Only index pairs outlive a call. They belong to a run, to a pass within its steps (conditional,
unconditional, ...) and to a shape: in a new run they are gone, and a batch of another size makes
the call full and matches anew.

Torch's own hooks watch the transformer's calls: unlike a wrapped ``forward`` they stay where they
are when offloading is turned on or off. A hook of diffusers that does nothing, on the first patched
layer, is told the cache context, and when a pipeline ends.

``torch.compile`` leaves the hooks and the attention processors out, and compiles what is between.
"""

import inspect
import math
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from software.library.config import OrbisConfig
from software.library.families import Family, Grid
from software.library.matchers import Matcher, MatchRequest
from software.library.reduction.attention import Shown, left_out_of_compile
from software.library.reduction.context import ContextHook
from software.library.reduction.rows import LayerRows, Rows, rows_of
from software.library.reduction.step_counter import Moment, StepCounter
from software.library.reduction.usage import Usage

_ALL = LayerRows(Rows(), Rows())
"""Of every layer where no token is to be dropped."""


@dataclass(frozen=True)
class Shape:
    """What pairs are for: they are of no use for a video of another size, batch or place."""

    grid: Grid
    batch: int
    device: torch.device


@dataclass
class Kept:
    """What one pass of a run keeps from call to call.

    Attributes:
        run: number of the run.
        shape: of its videos.
        num_dst: M for each.
        reduce: K for each.
        last_match: the step that matched last, None before.
        rows: of each layer.
        previous: of each layer, what the matcher found for each video; for a warm start alone.
    """

    run: int
    shape: Shape
    num_dst: int
    reduce: int
    last_match: int | None = None
    rows: dict[int, LayerRows] = field(default_factory=dict)
    previous: dict[int, list[Any]] = field(default_factory=dict)


@dataclass
class TransformerCall:
    """The call of the transformer that is under way."""

    kept: Kept
    step: int
    full: bool
    matching: bool
    ran: set[int] = field(default_factory=set)


class TransformerHook:
    """Watches one transformer, and is what its patched layers ask (`Steps` of attention.py).

    Attributes:
        config: what was asked for.
        family: the transformer's.
        layers: number and path of each patched layer.
        matcher: finds the pairs.
        context: where the cache context comes from.
        usage: what was done so far.
    """

    def __init__(
        self,
        config: OrbisConfig,
        family: Family,
        layers: Mapping[int, str],
        matcher: Matcher,
        counter: StepCounter,
        num_steps: Callable[[], int | None],
    ) -> None:
        self.config, self.family, self.layers = config, family, dict(layers)
        self.guide, self.proportional = config.guide, config.proportional
        self.context, self.usage = ContextHook(counter), Usage()
        self.matcher, self._counter, self._num_steps = matcher, counter, num_steps
        self._kept: dict[str, Kept] = {}
        self._call: TransformerCall | None = None
        self._signature: inspect.Signature | None = None
        self._handles: list[Any] = []

    def attach(self, model: nn.Module) -> None:
        """Watch the calls of a transformer."""
        self._signature = inspect.signature(type(model).forward)
        self._handles = [
            model.register_forward_pre_hook(self._before, with_kwargs=True),
            model.register_forward_hook(self._after),
        ]

    def detach(self) -> None:
        """Watch no longer, and forget the pairs."""
        for handle in self._handles:
            handle.remove()
        self._kept, self._call = {}, None

    @left_out_of_compile
    def _before(self, model: nn.Module, args: Any, kwargs: Any) -> None:
        """Decide what kind of call this is."""
        assert self._signature is not None
        given = self._signature.bind(model, *args, **kwargs).arguments
        hidden = given["hidden_states"]
        shape = Shape(self.family.grid(model, given), len(hidden), hidden.device)
        context = self.context.context
        moment = Moment(
            _time(given.get("timestep")),
            context and context.name,
            context and context.step_index,
            shape.grid,
        )
        name = self._counter.place(self, moment)
        steps = (context and context.num_inference_steps) or self._num_steps()
        kept = self._kept.get(name)
        if kept is None or kept.run != self._counter.run:
            self._check(model, steps)
        if kept is None or (kept.run, kept.shape) != (self._counter.run, shape):
            kept = Kept(self._counter.run, shape, *self.config.counts(shape.grid))
            self._kept[name] = kept
        step = self._counter.step
        since = None if kept.last_match is None else step - kept.last_match
        full = self.config.is_full(step, since, steps)
        self._call = TransformerCall(kept, step, full, full and self.config.matches(step, steps))

    def _check(self, model: nn.Module, steps: int | None) -> None:
        """Refuse at the first call of a run what would fail, or be of no effect, in a later one."""
        config = self.config
        if not config.ratio or not config.rc_steps:
            return
        if config.proportional and config.targets == "qkv":
            layers = self.family.attentions(model)
            processor: Any = layers[next(iter(self.layers.values()))].processor
            self.family.check_bias(processor)
        if steps and all(config.full_steps(steps)):
            warnings.warn(
                f"no step of a run of {steps} is reduced: {config.warmup(steps)} full steps come "
                f"first and {config.last_full_steps} last (OrbisConfig).",
                stacklevel=2,
            )

    @left_out_of_compile
    def _after(self, model: nn.Module, args: Any, output: Any) -> None:
        """Check that every patched layer ran: a no-op is an error."""
        call, self._call = self._call, None
        assert call is not None
        missing = [path for number, path in self.layers.items() if number not in call.ran]
        if missing:
            raise RuntimeError(
                f"{len(missing)} of {len(self.layers)} patched layers did not run in step "
                f"{call.step}, {missing[0]} first: something else skips them or has replaced "
                "their attention processor."
            )
        if call.matching:
            call.kept.last_match = call.step
        self.usage.full_calls += call.full
        self.usage.reduced_calls += not call.full

    def rows(self, layer: int, num_tokens: int) -> LayerRows | None:
        """See software.library.reduction.attention.Steps; so for the next three."""
        if self._call is None:
            raise RuntimeError(
                f"layer {self.layers[layer]} ran outside of its transformer's forward; "
                "token reduction needs the whole model's call to know the step."
            )
        grid = self._call.kept.shape.grid
        if math.prod(grid) != num_tokens:
            raise RuntimeError(
                f"layer {self.layers[layer]} has {num_tokens} video tokens, but the video has "
                f"{' x '.join(map(str, grid))}."
            )
        if self._call.full:
            return None
        return self._call.kept.rows[layer] if self._call.kept.reduce else _ALL

    @property
    def matching(self) -> bool:
        """Whether this call matches, and has something to match for."""
        call = self._call
        return call is not None and call.matching and call.kept.reduce > 0

    def match(self, layer: int, shown: list[Shown]) -> float:
        """Match each video of the batch."""
        begun = time.perf_counter()
        assert self._call is not None
        kept, step = self._call.kept, self._call.step
        grid, device = kept.shape.grid, kept.shape.device
        nothing = [None] * len(shown)
        found = [
            self.matcher(tokens, MatchRequest(layer, step, grid, kept.num_dst, kept.reduce, before))
            for tokens, before in zip(shown, kept.previous.get(layer, nothing), strict=True)
        ]
        kept.rows[layer] = self._layer_rows(found, math.prod(grid), device)
        self.usage.matchings += len(shown)
        if self.config.warm_start:
            kept.previous[layer] = found
        seconds = time.perf_counter() - begun
        self.usage.matching_seconds += seconds
        return seconds

    def note(self, layer: int, rows: int, dropped: int, seconds: float) -> None:
        """Count a layer's run."""
        assert self._call is not None
        self._call.ran.add(layer)
        self.usage.attention_seconds += seconds
        if self._call.full:
            self.usage.rows_full += rows
        else:
            self.usage.rows_reduced += rows
            self.usage.rows_dropped += dropped

    def _layer_rows(self, found: list[Any], num_tokens: int, device: torch.device) -> LayerRows:
        """The rows that a match leaves: of one list of pairs for all, or of Q's and of KV's."""
        apart = isinstance(found[0], tuple)
        query = rows_of([each[0] if apart else each for each in found], num_tokens, device)
        if self.config.targets == "q":
            return LayerRows(query, Rows())
        key_value = rows_of([each[1] for each in found], num_tokens, device) if apart else query
        return LayerRows(query, key_value)


def _time(timestep: Any) -> float | None:
    """A step's time, whatever its form; the latest where tokens have times of their own."""
    if timestep is None:
        return None
    return float(torch.as_tensor(timestep).max())
