"""The runs that are under way, and what each keeps from call to call.

A run belongs to a thread, and in it to the pipeline that calls the transformer: neither another
thread nor a preview inside a callback disturbs it.
"""

import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import torch

from software.library.families import Grid
from software.library.reduction.layer_rows import LayerRows
from software.library.reduction.per_thread import PerThread
from software.library.reduction.step_counter import StepCounter


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
        rows: of each layer that was matched, its index pairs and what restores its results.
        results: of each layer whose whole result is kept, that.
        result_bytes: of each layer, those of its video rows' results.
        previous: of each layer, what the matcher found for each video; for a warm start alone.
    """

    run: int
    shape: Shape
    num_dst: int
    reduce: int
    last_match: int | None = None
    rows: dict[int, LayerRows] = field(default_factory=dict)
    results: dict[int, Any] = field(default_factory=dict)
    result_bytes: dict[int, int] = field(default_factory=dict)
    previous: dict[int, list[Any]] = field(default_factory=dict)

    def result(self, layer: int) -> Any:
        """A copy of what `keep_result` kept: whoever gets it may write to it. None if nothing."""
        return None if layer not in self.results else _copied(self.results[layer])

    def clear(self) -> None:
        """Forget what the last match found, but for a warm start."""
        for each in (self.rows, self.results, self.result_bytes):
            each.clear()

    def keep_result(self, layer: int, result: Any) -> None:
        """Keep a layer's whole result, one tensor or several, apart from what made it."""
        with torch.inference_mode(False):
            self.results[layer] = _copied(result)

    @property
    def bytes(self) -> int:
        """What it takes for reduced steps."""
        found = [rows.bytes for rows in self.rows.values()]
        for result in self.results.values():
            parts = result if isinstance(result, tuple) else (result,)
            found += [part.numel() * part.element_size() for part in parts]
        return sum(found)


def _copied(result: Any) -> Any:
    if isinstance(result, tuple):
        return tuple(part.detach().clone() for part in result)
    return result.detach().clone()


@dataclass
class TransformerCall:
    """A call of the transformer that is under way.

    Attributes:
        run: whose call it is.
        kept: what its pass keeps.
        step: its number.
        full: whether every token takes part.
        matching: whether its layers are to be shown to the matcher.
        ran: the patched layers that ran so far.
    """

    run: "Run"
    kept: Kept
    step: int
    full: bool
    matching: bool
    ran: set[int] = field(default_factory=set)


class Calls:
    """The call that a thread is in."""

    under_way: TransformerCall | None = None


class Run:
    """The present run of a pipeline, or of calls outside of one.

    Attributes:
        counter: its steps.
        kept: what each pass of a transformer keeps, by the transformer's hook and the pass's name.
        step_by_hand: the step as ``AppliedOrbis.set_step`` tells it, None where it does not.
        steps_by_hand: likewise the number of steps.
    """

    def __init__(self) -> None:
        self.counter = StepCounter()
        self.kept: dict[tuple[object, str], Kept] = {}
        self.step_by_hand: int | None = None
        self.steps_by_hand: int | None = None

    def forget_stale(self, rc_steps: int) -> None:
        """Free what no call can use any more: of other runs, and of matches too long ago."""
        self.kept = {name: kept for name, kept in self.kept.items()
                     if kept.run == self.counter.run}  # fmt: skip
        for kept in self.kept.values():
            if kept.last_match is not None and self.counter.step - kept.last_match > rc_steps:
                kept.clear()

    def memory(self, hook: object) -> dict[str, int]:
        """What the passes of one transformer keep, and what their layers' whole results take."""
        passes = [kept for (owner, _), kept in self.kept.items() if owner is hook]
        return {
            "kept_bytes": sum(kept.bytes for kept in passes),
            "result_bytes": sum(sum(kept.result_bytes.values()) for kept in passes),
        }

    def reset(self) -> None:
        """Let the next call begin a run, and forget the pairs."""
        self.counter.reset()
        self.kept.clear()
        self.step_by_hand = self.steps_by_hand = None

    def set_step(self, step: int, num_steps: int | None) -> None:
        """Let the next calls be of a step; step 0, and one further back, begins a run."""
        if step == 0 or step < self.counter.step:
            self.reset()
        self.step_by_hand, self.steps_by_hand = step, num_steps


_STARTING = threading.Lock()
"""One for all: threads begin rarely."""


class Runs:
    """The runs of the transformers that one ``apply_orbis`` patched."""

    def __init__(self) -> None:
        self._outside: dict[threading.Thread, Run] = {}
        self._of_pipelines: PerThread[WeakKeyDictionary[Any, Run]] = PerThread(WeakKeyDictionary)

    def of(self, pipe: object) -> Run:
        """The run of a pipeline in this thread; of calls outside of one if ``pipe`` is None."""
        if pipe is not None:
            # What is not hashed, or not held weakly, is as if it called from outside.
            with suppress(TypeError):
                return self._of_pipelines.value.setdefault(pipe, Run())
        thread = threading.current_thread()
        with _STARTING:
            if thread not in self._outside:
                # A loop may give each step to a thread of its own: it goes on where one has ended.
                ended = [each for each in self._outside if not each.is_alive()]
                run = self._outside[ended[-1]] if ended else Run()
                for each in ended:
                    del self._outside[each]
                self._outside[thread] = run
            return self._outside[thread]

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy begins anew."""
        return Runs, ()
