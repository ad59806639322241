"""All sections: their tasks, and what they come to."""

from dataclasses import asdict
from typing import Any

from software.demo.prompt import CLASSES
from software.study.evaluation import (
    ablation,
    headline,
    iterations,
    lpips,
    optimum,
    pairs,
    similarity,
    table,
)
from software.study.evaluation.experiment import Experiment
from software.study.evaluation.workers import Found, Task


def tasks(experiment: Experiment) -> list[Task]:
    """Everything that is to be measured, each once: sections share tasks."""
    sections = (table, ablation, similarity, pairs, iterations, optimum)
    return list(dict.fromkeys(task for section in sections for task in section.tasks(experiment)))


def summary(experiment: Experiment, found: Found) -> dict[str, Any]:
    """All figures, as evaluation.json holds them."""
    methods = table.summary(experiment, found)
    return {
        "config": {**asdict(experiment), "warm_up": experiment.warm_up},
        "runs": [
            {"class": CLASSES[run.prompt.label], "moment": run.prompt.moment, "seed": run.seed}
            for run in experiment.runs
        ],
        "lpips_missing": lpips.missing(),
        "headline": headline.summary(methods),
        "methods": methods,
        "ablation": ablation.summary(experiment, found),
        "similarity": similarity.summary(experiment, found),
        "pairs": pairs.summary(experiment, found),
        "iterations": iterations.summary(experiment, found),
        "optimum": optimum.summary(experiment, found),
    }
