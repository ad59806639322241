"""What is measured: runs, ratios, schedule."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from software.demo.diffusion import TimeGrid
from software.library.config import OrbisConfig
from software.study.evaluation.judges import GUIDED, JUDGES, LONG, SHORT, Judge, Run

MOST_SEEDS = 10
"""Seeds from here on are those that defaults were chosen on (`settings`)."""


@dataclass(frozen=True)
class Experiment:
    """What is measured.

    Attributes:
        seeds: number of seeds, from 0 up; each runs every class once.
        judge: the runs that matching is measured on, with the paper's restore.
        judges: the runs that ways to restore are measured on.
        ratios: shares of the video tokens that matching is measured at, ascending.
        ratio: the one of them that everything but the table of ratios is measured at.
        warmup_steps: full steps at the start, in which the layout is decided; see `OrbisConfig`,
            whose default was chosen on seeds that are not measured.
        rc_steps: reduced steps after each full one.
        dst_fraction: M of DATM and of the random dst, as a share of the video tokens.

    Raises:
        ValueError: no seeds, no class, a ratio that is not among the ratios, or too few steps.
    """

    seeds: int = 3
    judge: Judge = LONG
    judges: tuple[Judge, ...] = JUDGES
    ratios: tuple[float, ...] = (0.2, 0.38, 0.6)
    ratio: float = 0.38
    warmup_steps: float = OrbisConfig.warmup_steps
    rc_steps: int = OrbisConfig.rc_steps
    dst_fraction: float = OrbisConfig.dst_fraction

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise ValueError(f"seeds is {self.seeds}; it must be at least 1.")
        if self.seeds > MOST_SEEDS:
            raise ValueError(
                f"seeds is {self.seeds}; it must be at most {MOST_SEEDS}: those beyond chose the"
                " defaults."
            )
        if not self.runs:
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
        return self.judge.runs(self.seeds)

    def named(self, names: Collection[str]) -> list[Judge]:
        """Those of the judges that have these names."""
        return [judge for judge in self.judges if judge.name in names]

    @property
    def grid(self) -> TimeGrid:
        """The steps of every run."""
        return self.judge.grid

    @property
    def steps(self) -> int:
        """Their number."""
        return self.judge.steps

    def reduction(self, ratio: float, **options: Any) -> OrbisConfig:
        """The reduction of a method, begun and restored as in the paper, and its own options."""
        paper = {
            "targets": "qkv", "restore": "copy", "spread": False,
            "dst_fraction": self.dst_fraction,
        }  # fmt: skip
        return self.way(self.judge, ratio=ratio, **{**paper, **options})

    def way(self, judge: Judge, **options: Any) -> OrbisConfig:
        """A way of reducing a judge's runs: this experiment's schedule, and options of its own."""
        schedule = {"rc_steps": self.rc_steps, "warmup_steps": self.warmup_steps}
        return OrbisConfig(**{"num_steps": judge.steps, **schedule, **options})

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
QUICK = replace(
    FULL,
    seeds=1,
    judge=replace(LONG, labels=(0, 2)),
    judges=tuple(replace(judge, labels=(0, 2)) for judge in (SHORT, GUIDED)),
)
"""The same sections with fewer runs and judges."""
