"""The runs that are under way, and what each keeps from call to call.

A run belongs to a thread, and in it to the pipeline that calls the transformer: neither another
thread nor a preview inside a callback disturbs it.
"""

import weakref
from dataclasses import dataclass, field
from typing import Any

import torch

from software.library.families import Grid
from software.library.reduction.per_thread import PerThread
from software.library.reduction.rows import LayerRows
from software.library.reduction.step_counter import StepCounter


@dataclass(frozen=True)
class Shape:
    """What pairs are for: they are of no use for a video of another size, batch or place."""

    grid: Grid
    batch: int
    device: torch.device


@dataclass
class Kept:
    """What one pass of a run keeps from call to call; only index pairs outlive a call.

    Attributes:
        run: number of the run.
        shape: of its videos.
        num_dst: M for each.
        reduce: K for each.
        last_match: the step that matched last, None before.
        rows: of each layer that was matched.
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
    """A call of the transformer that is under way.

    Attributes:
        kept: what its pass keeps.
        step: its number.
        full: whether every token takes part.
        matching: whether its layers are to be shown to the matcher.
        ran: the patched layers that ran so far.
    """

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


class Runs:
    """The runs of the transformers that one ``apply_orbis`` patched."""

    def __init__(self) -> None:
        self._outside = PerThread(Run)
        self._of_pipelines: PerThread[dict[int, Run]] = PerThread(dict)

    def of(self, pipe: object) -> Run:
        """The run of a pipeline in this thread; of calls outside of one if ``pipe`` is None."""
        if pipe is None:
            return self._outside.value
        runs, key = self._of_pipelines.value, id(pipe)
        if key not in runs:
            runs[key] = Run()
            weakref.finalize(pipe, runs.pop, key, None).atexit = False
        return runs[key]
