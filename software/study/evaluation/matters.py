"""Whether the matching still matters where residuals restore what it gets wrong."""

from typing import Any

from software.library.config import OrbisConfig
from software.study.evaluation.experiment import Experiment
from software.study.evaluation.frontier import judged
from software.study.evaluation.judges import Judge
from software.study.evaluation.runs import figures_over, mean_and_error
from software.study.evaluation.workers import Found, Task

MATCHERS = ("datm", "random")
POINTS = (
    (0.38, 1 / 4), (0.38, 1 / 16), (0.75, 1 / 4), (0.75, 1 / 8), (0.75, 1 / 16), (0.75, 1 / 32),
    (0.9375, 1 / 16), (0.9375, 1 / 32),
)  # fmt: skip
"""Ratio and M as a share of all tokens."""
JUDGED = ("50 steps", "20 steps", "20 steps, guided")
"""Names of the judges."""


def _config(
    experiment: Experiment, judge: Judge, matcher: str, point: tuple[float, float]
) -> OrbisConfig:
    ratio, fraction = point
    return experiment.way(judge, ratio=ratio, dst_fraction=fraction, matcher=matcher)


def tasks(experiment: Experiment) -> list[Task]:
    """Every judge, matcher, point and run; the default restore, Q alone."""
    return [
        task for judge in experiment.named(JUDGED) for point in POINTS for matcher in MATCHERS
        for task in judged(experiment, judge, _config(experiment, judge, matcher, point))
    ]  # fmt: skip


def summary(experiment: Experiment, found: Found) -> list[dict[str, Any]]:
    """A row a judge and point: PSNR of each matcher, and DATM's gain with its error over runs."""
    rows = []
    for judge in experiment.named(JUDGED):
        for point in POINTS:
            figures = {}
            for matcher in MATCHERS:
                config = _config(experiment, judge, matcher, point)
                runs = [found[task] for task in judged(experiment, judge, config)]
                figures[matcher] = figures_over(runs)
            gaps = [a - b for a, b in zip(*(figures[name]["runs"] for name in MATCHERS),
                                          strict=True)]  # fmt: skip
            gain, error = mean_and_error(gaps)
            rows.append(
                {"judge": judge.name, "ratio": point[0], "dst_fraction": point[1],
                 **{name: figures[name]["psnr"] for name in MATCHERS},
                 "pairings": figures["datm"]["pairings"], "gain": gain, "gain_error": error}
            )  # fmt: skip
    return rows
