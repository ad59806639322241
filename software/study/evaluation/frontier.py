"""The frontier: quality against the work that attention is left with, and against memory kept."""

from typing import Any

from software.library.config import OrbisConfig
from software.study.evaluation.experiment import Experiment
from software.study.evaluation.judges import Judge
from software.study.evaluation.runs import WholeRun, figures_over
from software.study.evaluation.ways import WAYS, Way, memory
from software.study.evaluation.workers import Found, Task


def tasks(experiment: Experiment) -> list[Task]:
    """Every judge, way, ratio and run."""
    return [
        task for judge in experiment.judges for way in WAYS for ratio in way.ratios
        for task in judged(experiment, judge, _config(experiment, judge, way, ratio))
    ]  # fmt: skip


def judged(experiment: Experiment, judge: Judge, config: OrbisConfig) -> list[WholeRun]:
    """The runs of one way of reducing that a judge looks at."""
    return [WholeRun(run, config, judge.grid) for run in judge.runs(experiment.seeds)]


def _config(experiment: Experiment, judge: Judge, way: Way, ratio: float) -> OrbisConfig:
    return experiment.way(judge, **way.at(ratio))


def summary(experiment: Experiment, found: Found) -> list[dict[str, Any]]:
    """A row a judge: ``name``, ``steps``, ``runs``, and its ``ways``, each with its ``points``.

    A point has its ``ratio``, the ``work`` left of SDPA's in a reduced step, ``memory`` kept, of
    the attention outputs' (`ways.memory`), and figures over runs.
    """
    return [
        {
            "name": judge.name,
            "steps": judge.steps,
            "runs": [str(run) for run in judge.runs(experiment.seeds)],
            "ways": [
                {"name": way.name, "points": _points(experiment, judge, way, found)} for way in WAYS
            ],
        }
        for judge in experiment.judges
    ]


def _points(experiment: Experiment, judge: Judge, way: Way, found: Found) -> list[dict[str, Any]]:
    points = []
    for ratio in way.ratios:
        config = _config(experiment, judge, way, ratio)
        figures = figures_over([found[task] for task in judged(experiment, judge, config)])
        points.append(
            {"ratio": ratio, "work": round(way.work(ratio), 4), "memory": round(memory(config), 4),
             **figures}
        )  # fmt: skip
    return points
