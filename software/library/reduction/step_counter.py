"""Where a run is: which step a call of a transformer belongs to, and when a new run begins.

A pipeline may call its transformer once a step (guidance in one batch), twice (one pass for each
prompt, each in a cache context of its own or in none), and change the transformer on the way
(Wan 2.2). So the time that a call is given tells the step, unless the pipeline's cache context
does; one counter serves all transformers of a pipeline.
"""

from collections.abc import Callable
from dataclasses import dataclass

from software.library.families import Grid


@dataclass(frozen=True)
class Moment:
    """What a call tells of its place.

    Attributes:
        time: the step's time, None if the call has none.
        context: name of diffusers' cache context, None outside of one.
        step_index: the step as the context tells it, None where it does not.
        grid: the video's tokens.
    """

    time: float | None
    context: str | None
    step_index: int | None
    grid: Grid


class StepCounter:
    """Counts the steps of the run that is under way, and the runs.

    Attributes:
        run: the run's number; what belongs to another run is of no use any more.
        step: the step's number from 0; -1 before the first call.
    """

    def __init__(self, timesteps: Callable[[], object]) -> None:
        """``timesteps`` returns an object that is another one in each run; None if unknown."""
        self._timesteps = timesteps
        self.run = -1
        self.reset()

    def reset(self) -> None:
        """Let the next call begin a run."""
        self.run += 1
        self.step = -1
        self._mark: object = None
        self._grid: Grid | None = None
        self._times: list[float] = []
        self._callers: list[tuple[object, str | None]] = []

    def place(self, caller: object, moment: Moment) -> str:
        """Go to the step of a call; returns what names the call's pass within the step.

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
        self._mark, self._grid = self._timesteps(), moment.grid
        passes = self._callers.count(who)
        self._callers.append(who)
        return moment.context or f"pass {passes}"

    def _is_new(self, moment: Moment) -> bool:
        """Whether a call belongs to another run than the one before."""
        if self.step < 0:
            return False
        if moment.grid != self._grid or self._timesteps() is not self._mark:
            return True
        if moment.step_index is not None:
            return moment.step_index < self.step
        times = self._times
        if moment.time is None or len(times) < 2 or moment.time == times[-1]:
            return False
        return (times[-1] - times[-2]) * (moment.time - times[-1]) < 0

    def _is_next(self, who: tuple[object, str | None], moment: Moment) -> bool:
        """Whether a call is the first of its step."""
        if self.step < 0:
            return True
        if moment.step_index is not None:
            return moment.step_index != self.step
        if moment.time is None or moment.time != self._times[-1]:
            return True
        # A context is entered once a step; schedulers of second order repeat a time.
        return moment.context is not None and who in self._callers
