"""The hooks on a transformer: they say which calls are full, and keep the index pairs.

Pairs belong to a run, to a pass within its steps (conditional, unconditional, ...) and to a shape:
in a new run they are gone, and a batch of another size makes the call full and matches anew.

Torch's own hooks watch the transformer's calls: unlike a wrapped ``forward`` they stay where they
are when offloading is turned on or off, and they are copied with the transformer.

``torch.compile`` leaves the hooks and the attention processors out, and compiles what is between.
"""

import inspect
import math
import time
from collections.abc import Mapping
from typing import Any

from torch import nn

from golden.ambient import plain
from software.library.config import OrbisConfig
from software.library.families import Family
from software.library.matchers import Matcher, MatchRequest
from software.library.reduction.attention import Seen, left_out_of_compile
from software.library.reduction.caller import Told, calling_pipeline, calls_of_pipelines
from software.library.reduction.context import ContextWatch
from software.library.reduction.layer_rows import LayerRows, layer_rows
from software.library.reduction.per_thread import PerThread
from software.library.reduction.refusals import check_call, check_nesting, check_run
from software.library.reduction.rows import Rows
from software.library.reduction.runs import Calls, Kept, Run, Runs, Shape, TransformerCall
from software.library.reduction.step_counter import Moment, time_of
from software.library.reduction.usage import Usage

MARK = "_orbis"
"""Attribute of a patched transformer: its hook."""
_ALL = LayerRows(Rows(), Rows())
"""Of every layer where no token is to be dropped."""


class Switch:
    """Whether a patch is on, for those who must not keep the transformer."""

    on = False


class TransformerHook:
    """Watches one transformer, and is what its patched layers ask (`Steps` of attention.py).

    Attributes:
        config: what was asked for.
        family: the transformer's.
        layers: number and path of each patched layer.
        matcher: finds the pairs.
        switch: whether it watches a transformer.
        usage: what was done so far, by all threads.
    """

    def __init__(
        self,
        config: OrbisConfig,
        family: Family,
        layers: Mapping[int, str],
        matcher: Matcher,
        runs: Runs,
    ) -> None:
        self.config, self.family, self.layers = config, family, dict(layers)
        self.guide, self.proportional = config.guide, config.proportional
        self.shows = not config.keeps_results
        self.usage, self._context = Usage(), ContextWatch(self.end_run)
        self.matcher, self._runs = matcher, runs
        self._calls = PerThread(Calls)
        self.switch = Switch()
        self._model: Any = None
        self._handles: list[Any] = []

    @property
    def attached(self) -> bool:
        """Whether it watches a transformer."""
        return self.switch.on

    def attach(self, model: nn.Module) -> None:
        """Watch the calls of a transformer."""
        self._model, self.switch.on = model, True
        self._signature = inspect.signature(type(model).forward)
        self._context.attach(model)
        self._handles = [
            model.register_forward_pre_hook(self._before, with_kwargs=True),
            model.register_forward_hook(self._after),
        ]

    def detach(self) -> None:
        """Watch no longer, and forget the pairs."""
        for handle in self._handles:
            handle.remove()
        self._context.detach()
        self._model, self._handles, self._runs = None, [], Runs()
        self.switch.on = False

    def end_run(self) -> None:
        """Let the next call of whoever calls the transformer in this thread begin a run."""
        self._runs.of(calling_pipeline(self._model)).reset()

    @left_out_of_compile
    def _before(self, model: nn.Module, args: Any, kwargs: Any) -> None:
        """Decide what kind of call this is."""
        layers = self._patched(model)
        check_call(model, layers, self)
        calls = list(calls_of_pipelines(self._model))
        check_nesting(calls, self._runs)
        pipe = calls[0][0] if calls else None
        told, run = Told.by(pipe), self._runs.of(pipe)
        given = self._signature.bind(model, *args, **kwargs).arguments
        hidden = given["hidden_states"]
        shape = Shape(self.family.grid(model, given), len(hidden), hidden.device)
        context = self._context.context
        moment = Moment(
            time_of(given.get("timestep")),
            context and context.name,
            context and context.step_index if run.step_by_hand is None else run.step_by_hand,
            shape.grid,
            told.mark,
            told.scheduler_step,
        )
        name = run.counter.place(self, moment)
        run.forget_stale(self.config.rc_steps)
        steps = (
            run.steps_by_hand
            or (context and context.num_inference_steps)
            or told.steps
            or self.config.num_steps
        )
        kept = self._kept(run, name, shape)
        if kept is None:
            check_run(self.config, self.family, layers, steps)
            kept = Kept(run.counter.run, shape, *self.config.counts(shape.grid))
            if name is not None:
                run.kept[self, name] = kept
        step = run.counter.step
        since = None if kept.last_match is None else step - kept.last_match
        full = self.config.is_full(step, since, steps)
        matching = full and name is not None and self.config.matches(step, steps)
        if matching:
            kept.clear()  # a layer that is skipped in this step has nothing
        self._calls.value.under_way = TransformerCall(run, kept, step, full, matching)

    def _patched(self, model: nn.Module) -> dict[str, nn.Module]:
        """The patched layers, by path."""
        layers = self.family.attentions(model)
        return {path: layers[path] for path in self.layers.values()}

    def _kept(self, run: Run, name: str | None, shape: Shape) -> Kept | None:
        """What a pass kept, if it is of this run and for such videos."""
        kept = None if name is None else run.kept.get((self, name))
        if kept is None or (kept.run, kept.shape) != (run.counter.run, shape):
            return None
        return kept

    @property
    def _call(self) -> TransformerCall | None:
        """The call that this thread is in."""
        return self._calls.value.under_way

    @left_out_of_compile
    def _after(self, model: nn.Module, args: Any, output: Any) -> None:
        """Check that patched layers ran: a no-op is an error."""
        call, self._calls.value.under_way = self._call, None
        assert call is not None
        if not call.ran:
            raise RuntimeError(
                f"none of the {len(self.layers)} patched layers ran in step {call.step}: something"
                " else skips them all."
            )
        if call.matching:
            call.kept.last_match = call.step
            self.usage.raise_to(**call.run.memory(self))
        self.usage.add(full_calls=int(call.full), reduced_calls=int(not call.full))

    def rows(self, layer: int, num_tokens: int) -> LayerRows | None:
        """See software.library.reduction.attention.Steps; so for the next four."""
        call = self._call
        if call is None:
            raise RuntimeError(
                f"layer {self.layers[layer]} ran outside of its transformer's forward; "
                "token reduction needs the whole model's call to know the step."
            )
        grid = call.kept.shape.grid
        if math.prod(grid) != num_tokens:
            raise RuntimeError(
                f"layer {self.layers[layer]} has {num_tokens} video tokens, but the video has "
                f"{' x '.join(map(str, grid))}."
            )
        if call.full:
            return None
        if not call.kept.reduce or self.config.keeps_results:
            return _ALL
        # None of a layer that something else skipped in the step that matched.
        return call.kept.rows.get(layer)

    def cached(self, layer: int) -> Any:
        """The layer's result of the full step, where it is kept whole."""
        call = self._call
        return None if call is None or call.full else call.kept.result(layer)

    @property
    def matching(self) -> bool:
        """Whether this call matches, and has something to match for."""
        call = self._call
        return call is not None and call.matching and call.kept.reduce > 0

    def match(self, layer: int, seen: Seen) -> float:
        """Match each video of the batch, and keep what restores its results.

        Raises:
            ValueError: what cannot be matched, with the layer and the step that it is from.
        """
        begun = time.perf_counter()
        assert self._call is not None
        kept, step = self._call.kept, self._call.step
        grid, device, shown = kept.shape.grid, kept.shape.device, seen.shown
        kept.result_bytes[layer] = seen.video.numel() * seen.video.element_size()
        if self.config.keeps_results:
            kept.keep_result(layer, seen.result)
            return 0.0
        before = kept.previous.get(layer, [None] * len(shown))
        try:
            with plain(device):
                found = [
                    self.matcher(
                        tokens, MatchRequest(layer, step, grid, kept.num_dst, kept.reduce, last)
                    )
                    for tokens, last in zip(shown, before, strict=True)
                ]
                rows = layer_rows(found, math.prod(grid), device, self.config.targets)
        except ValueError as error:
            raise ValueError(
                f"layer {self.layers[layer]} cannot be matched in step {step}: {error} A model may"
                " need a wider dtype; OrbisConfig(layers=...) leaves layers out."
            ) from error
        try:
            kept.rows[layer] = rows.remember(seen.mixed, seen.video, self.config)
        except ValueError as error:
            raise ValueError(
                f"the results of layer {self.layers[layer]} cannot be kept in step {step}: {error}"
                ' OrbisConfig(restore="copy") keeps none.'
            ) from error
        if self.config.warm_start:
            kept.previous[layer] = found
        seconds = time.perf_counter() - begun
        self.usage.add(matchings=len(shown), matching_seconds=seconds)
        return seconds

    def note(self, layer: int, rows: int, dropped: int, seconds: float) -> None:
        """Count a layer's run."""
        assert self._call is not None
        self._call.ran.add(layer)
        if self._call.full:
            self.usage.add(attention_seconds=seconds, rows_full=rows)
        else:
            self.usage.add(attention_seconds=seconds, rows_reduced=rows, rows_dropped=dropped)


def hook_of(model: nn.Module) -> TransformerHook | None:
    """The hook on a transformer, None where it is not patched."""
    hook: TransformerHook | None = getattr(model, MARK, None)
    return hook
