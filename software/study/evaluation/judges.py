"""Judges: the sets of runs that ways of reducing are held against, from easy to hard.

The shipped model's long runs change little from step to step, which flatters whatever is kept from
one step for others. Fewer steps, moments that training has not seen, guidance away from another
prompt, and a model of more tokens and scenes change more.
"""

from dataclasses import dataclass

from software.demo.diffusion import TimeGrid
from software.demo.geometry import LARGE, SMALL, Geometry
from software.demo.prompt import Guidance, Prompt

SEEN = (0.1, 0.4, 0.7)
"""Moments that training has seen."""
HELD_OUT = (0.82, 0.9, 0.98)
"""Moments in the part of the clips that training has not seen."""


@dataclass(frozen=True)
class Run:
    """One unreduced run, and all that are compared with it.

    Attributes:
        prompt: what to show.
        seed: of the noise and of all matching.
        guidance: away from another prompt.
    """

    prompt: Prompt
    seed: int
    guidance: Guidance | None = None

    def __str__(self) -> str:
        guided = f", {self.guidance}" if self.guidance else ""
        return f"{self.prompt}{guided}, seed {self.seed}"


@dataclass(frozen=True)
class Judge:
    """Runs that are alike in kind.

    Attributes:
        name: what it is called everywhere.
        steps: Euler steps.
        moments: of the classes; they rotate, so that as many seeds as moments see each moment of
            each class once.
        scale: of guidance away from the next class at the same moment; None is none.
        geometry: the model's.
        labels: classes that are shown, as indices into the geometry's; all if None.
    """

    name: str
    steps: int
    moments: tuple[float, ...] = SEEN
    scale: float | None = None
    geometry: Geometry = SMALL
    labels: tuple[int, ...] | None = None

    def runs(self, seeds: int, first: int = 0) -> tuple[Run, ...]:
        """A run for each seed and class, the seeds counted from the first."""
        labels = range(len(self.geometry.classes)) if self.labels is None else self.labels
        return tuple(
            self._run(label, seed) for seed in range(first, first + seeds) for label in labels
        )

    def _run(self, label: int, seed: int) -> Run:
        moment = self.moments[(seed + label) % len(self.moments)]
        prompt = Prompt(label, moment, self.geometry)
        if self.scale is None:
            return Run(prompt, seed)
        other = Prompt((label + 1) % len(self.geometry.classes), moment, self.geometry)
        return Run(prompt, seed, Guidance(other, self.scale))

    @property
    def grid(self) -> TimeGrid:
        """The steps of every run."""
        return TimeGrid(self.steps)


LONG = Judge("50 steps", 50)
SHORT = Judge("20 steps", 20)
GUIDED = Judge("20 steps, guided", 20, scale=2.0)
JUDGES = (
    LONG,
    SHORT,
    Judge("12 steps", 12),
    Judge("8 steps", 8),
    Judge("20 steps, held out", 20, HELD_OUT),
    GUIDED,
    Judge("20 steps, 1,152 tokens", 20, geometry=LARGE, labels=(1, 7)),
)
"""All of them."""
