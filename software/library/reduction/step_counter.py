"""Where a run is: which step a call of a transformer belongs to, and when a new run begins.

A pipeline may call its transformer once a step (guidance in one batch), twice (one pass for each
prompt, each in a cache context of its own or in none), and change the transformer on the way
(Wan 2.2). So the time that a call is given tells the step, unless the pipeline's cache context
does, or someone sets it by hand; one counter serves all transformers of a run.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import torch

from software.library.families import Grid

MOST_PASSES = 8
"""Calls of a transformer that one step may have, without a cache context: guidance takes four at
most."""


def time_of(timestep: Any) -> float | None:
    """A step's time, whatever its form; the latest where tokens have times of their own."""
    return None if timestep is None else float(torch.as_tensor(timestep).max())


@dataclass(frozen=True)
class Moment:
    """What a call tells of its place.

    Attributes:
        time: the step's time, None if the call has none.
        context: name of diffusers' cache context, None outside of one.
        step_index: the step as the context, or whoever sets it by hand, tells it; None where
            nobody does.
        grid: the video's tokens.
        mark: an object that is another one in each run, None if unknown.
        scheduler_step: what counts up with each step of the scheduler, None if nothing does.
    """

    time: float | None
    context: str | None
    step_index: int | None
    grid: Grid
    mark: object = None
    scheduler_step: int | None = None


class StepCounter:
    """Counts the steps of the run that is under way, and the runs.

    Attributes:
        run: the run's number; what belongs to another run is of no use any more.
        step: the step's number from 0; -1 before the first call.
    """

    def __init__(self) -> None:
        self.run = -1
        self.reset()

    def reset(self) -> None:
        """Let the next call begin a run."""
        self.run += 1
        self.step = -1
        self._last: Moment | None = None
        self._times: list[float] = []
        self._callers: list[tuple[object, str | None]] = []

    def place(self, caller: object, moment: Moment) -> str | None:
        """Go to the step of a call; returns what names the call's pass within the step.

        None names no pass: there were too many at one time for anything to be kept of this one.

        Args:
            caller: the transformer that is called.
            moment: what the call tells.
        """
        if self._is_new(moment):
            self.reset()
        who = (caller, moment.context)
        if self._is_next(who, moment):
            self.step = self.step + 1 if moment.step_index is None else moment.step_index
            self._callers = []
            if moment.time is not None:
                self._times.append(moment.time)
        self._last = moment
        if moment.context is not None:
            self._callers.append(who)
            return moment.context
        passes = self._callers.count(who)
        if passes == MOST_PASSES:
            warnings.warn(
                f"a transformer was called more than {MOST_PASSES} times at the time {moment.time},"
                f" which is taken for one step (number {self.step}); further calls are full, and"
                " nothing is kept of them. If they are steps, AppliedOrbis.set_step tells their"
                " numbers.",
                stacklevel=3,
            )
        if passes >= MOST_PASSES:
            return None
        self._callers.append(who)
        return f"pass {passes}"

    def _is_new(self, moment: Moment) -> bool:
        """Whether a call belongs to another run than the one before."""
        last = self._last
        if last is None:
            return False
        if moment.grid != last.grid or moment.mark is not last.mark:
            return True
        if moment.step_index is not None:
            return moment.step_index < self.step
        times = self._times
        if moment.time is None or len(times) < 2 or moment.time == times[-1]:
            return False
        return (times[-1] - times[-2]) * (moment.time - times[-1]) < 0

    def _is_next(self, who: tuple[object, str | None], moment: Moment) -> bool:
        """Whether a call is the first of its step."""
        last = self._last
        if last is None:
            return True
        if moment.step_index is not None:
            return moment.step_index != self.step
        if moment.time is None or moment.time != last.time:
            return True
        # Schedulers of second order repeat a time: a context is entered once a step, and the
        # scheduler itself goes on.
        if moment.context is not None:
            return who in self._callers
        return moment.scheduler_step != last.scheduler_step
