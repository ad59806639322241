"""All sections: their tasks, and what they come to."""

from typing import Any

from software.demo.prompt import CLASSES
from software.study.evaluation import (
    ablation,
    claims,
    frontier,
    headline,
    iterations,
    lpips,
    matters,
    optimum,
    pairs,
    settings,
    similarity,
    table,
)
from software.study.evaluation.experiment import Experiment
from software.study.evaluation.workers import Found, Task


def tasks(experiment: Experiment) -> list[Task]:
    """Everything that is to be measured, each once: sections share tasks."""
    sections = (
        table, ablation, similarity, pairs, iterations, optimum, frontier, matters, settings,
    )  # fmt: skip
    return list(dict.fromkeys(task for section in sections for task in section.tasks(experiment)))


def summary(experiment: Experiment, found: Found) -> dict[str, Any]:
    """All figures, as evaluation.json holds them."""
    methods, judges = table.summary(experiment, found), frontier.summary(experiment, found)
    return {
        "config": _config(experiment),
        "runs": [
            {"class": CLASSES[run.prompt.label], "moment": run.prompt.moment, "seed": run.seed}
            for run in experiment.runs
        ],
        "lpips_missing": lpips.missing(),
        "claims": claims.summary(judges),
        "frontier": judges,
        "matters": matters.summary(experiment, found),
        "settings": settings.summary(experiment, found),
        "headline": headline.summary(methods),
        "methods": methods,
        "ablation": ablation.summary(experiment, found),
        "similarity": similarity.summary(experiment, found),
        "pairs": pairs.summary(experiment, found),
        "iterations": iterations.summary(experiment, found),
        "optimum": optimum.summary(experiment, found),
    }


def _config(experiment: Experiment) -> dict[str, Any]:
    """What was measured, JSON types."""
    names = ("seeds", "ratios", "ratio", "steps", "warm_up", "rc_steps", "dst_fraction")
    return {name: getattr(experiment, name) for name in names}
