"""Whether the matching still matters where residuals restore what it gets wrong."""

from typing import Any

from software.library.config import OrbisConfig
from software.study.evaluation.experiment import Experiment
from software.study.evaluation.frontier import judged
from software.study.evaluation.judges import GUIDED, LONG, SHORT, Judge
from software.study.evaluation.runs import figures_over, mean_and_error
from software.study.evaluation.workers import Found, Task

MATCHERS: dict[str, dict[str, Any]] = {
    "spread": {}, "drawn": {"spread": False}, "random": {"matcher": "random"},
}  # fmt: skip
"""DATM from dst that spread over the tokens, DATM from drawn ones, and drawn ones as they are."""
POINTS = (
    (0.38, 1 / 4), (0.75, 1 / 4), (0.75, 1 / 8), (0.75, 1 / 32), (0.9375, 1 / 16),
)  # fmt: skip
"""Ratio and M as a share of all tokens."""
JUDGED = {LONG.name: POINTS, SHORT.name: POINTS, GUIDED.name: POINTS[1:2]}
"""Names of the judges, and what each looks at."""


def _config(
    experiment: Experiment, judge: Judge, matcher: str, point: tuple[float, float]
) -> OrbisConfig:
    ratio, fraction = point
    return experiment.way(judge, ratio=ratio, dst_fraction=fraction, **MATCHERS[matcher])


def tasks(experiment: Experiment) -> list[Task]:
    """Every judge, matcher, point and run; the default restore, Q alone."""
    return [
        task for judge in experiment.named(JUDGED) for point in JUDGED[judge.name]
        for matcher in MATCHERS
        for task in judged(experiment, judge, _config(experiment, judge, matcher, point))
    ]  # fmt: skip


def summary(experiment: Experiment, found: Found) -> list[dict[str, Any]]:
    """A row a judge and point: PSNR of each matcher, and how far the first is above the others.

    ``gains`` has, for each of the others, the mean over runs and its standard error.
    """
    rows = []
    for judge in experiment.named(JUDGED):
        for point in JUDGED[judge.name]:
            figures = {}
            for matcher in MATCHERS:
                config = _config(experiment, judge, matcher, point)
                runs = [found[task] for task in judged(experiment, judge, config)]
                figures[matcher] = figures_over(runs)
            rows.append(
                {"judge": judge.name, "ratio": point[0], "dst_fraction": point[1],
                 "psnr": {name: each["psnr"] for name, each in figures.items()},
                 "pairings": {name: each["pairings"] for name, each in figures.items()},
                 "gains": {name: _gain(figures["spread"], figures[name])
                           for name in ("drawn", "random")}}
            )  # fmt: skip
    return rows


def _gain(one: dict[str, Any], other: dict[str, Any]) -> tuple[float, float | None]:
    """How far the one's PSNR is above the other's, run by run."""
    return mean_and_error([a - b for a, b in zip(one["runs"], other["runs"], strict=True)])
