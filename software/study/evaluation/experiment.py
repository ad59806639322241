"""What is measured: runs, ratios, schedule."""

from dataclasses import dataclass, replace
from typing import Any

from software.demo.diffusion import TimeGrid
from software.demo.prompt import CLASSES, Prompt
from software.library.config import OrbisConfig


@dataclass(frozen=True)
class Run:
    """One unreduced run, and all that are compared with it.

    Attributes:
        prompt: what to show.
        seed: of the noise and of all matching.
    """

    prompt: Prompt
    seed: int

    def __str__(self) -> str:
        return f"{self.prompt}, seed {self.seed}"


@dataclass(frozen=True)
class Experiment:
    """What is measured.

    Attributes:
        seeds: number of seeds, from 0 up; each runs every class once.
        labels: classes, as indices into ``software.demo.prompt.CLASSES``.
        moments: moments of the classes; they rotate, so that as many seeds as moments see each
            moment of each class once.
        ratios: shares of the video tokens that reduced steps drop, ascending.
        ratio: the one of them that everything but the table of ratios is measured at.
        steps: Euler steps.
        warmup_steps: full steps at the start, in which the layout is decided; see `OrbisConfig`,
            whose default was chosen on seeds that are not measured.
        rc_steps: reduced steps after each full one.
        dst_fraction: M of DATM and of the random dst, as a share of the video tokens.

    Raises:
        ValueError: no seeds, no class, a ratio that is not among the ratios, or too few steps.
    """

    seeds: int = 3
    labels: tuple[int, ...] = tuple(range(len(CLASSES)))
    moments: tuple[float, ...] = (0.1, 0.4, 0.7)
    ratios: tuple[float, ...] = (0.2, 0.3, 0.38, 0.5, 0.6)
    ratio: float = OrbisConfig.ratio
    steps: int = 50
    warmup_steps: float = OrbisConfig.warmup_steps
    rc_steps: int = OrbisConfig.rc_steps
    dst_fraction: float = OrbisConfig.dst_fraction

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise ValueError(f"seeds is {self.seeds}; it must be at least 1.")
        if not self.labels:
            raise ValueError("labels is empty; at least one class must be measured.")
        if self.ratio not in self.ratios:
            raise ValueError(f"ratio is {self.ratio}; it must be one of {self.ratios}.")
        if len(self.matching_steps) < 2:
            raise ValueError(
                f"{self.steps} steps with {self.warm_up} full ones at the start match"
                f" {len(self.matching_steps)} times; a warm start needs two."
            )

    @property
    def runs(self) -> tuple[Run, ...]:
        """A run for each seed and class."""
        return tuple(
            Run(Prompt(label, self.moments[(seed + label) % len(self.moments)]), seed)
            for seed in range(self.seeds)
            for label in self.labels
        )

    @property
    def grid(self) -> TimeGrid:
        """The steps of every run."""
        return TimeGrid(self.steps)

    def reduction(self, ratio: float, **options: Any) -> OrbisConfig:
        """The reduction of a method: this experiment's schedule, and options of its own."""
        return OrbisConfig(
            **{
                "ratio": ratio, "rc_steps": self.rc_steps, "warmup_steps": self.warmup_steps,
                "num_steps": self.steps, "dst_fraction": self.dst_fraction, **options,
            }
        )  # fmt: skip

    @property
    def warm_up(self) -> int:
        """Full steps at the start of every run."""
        return self.reduction(self.ratio).warmup(self.steps)

    @property
    def matching_steps(self) -> list[int]:
        """Full steps that match."""
        config = self.reduction(self.ratio)
        kinds = config.full_steps(self.steps)
        return [n for n, full in enumerate(kinds) if full and config.matches(n, self.steps)]

    @property
    def shown_step(self) -> int:
        """The step that pictures show: the matching one in the middle."""
        return self.matching_steps[len(self.matching_steps) // 2]


FULL = Experiment()
QUICK = replace(FULL, seeds=1, labels=(0, 2), ratios=(0.2, 0.38, 0.6))
"""The same sections with fewer runs and ratios."""
