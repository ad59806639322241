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
from software.study.evaluation.plan import Plan
from software.study.evaluation.workers import Found, Task


def tasks(plan: Plan) -> list[Task]:
    """Everything that is to be measured, each once: sections share tasks."""
    sections = (table, ablation, similarity, pairs, iterations, optimum)
    return list(dict.fromkeys(task for section in sections for task in section.tasks(plan)))


def summary(plan: Plan, found: Found) -> dict[str, Any]:
    """All figures, as evaluation.json holds them."""
    methods = table.summary(plan, found)
    return {
        "config": asdict(plan),
        "runs": [
            {"class": CLASSES[run.prompt.label], "moment": run.prompt.moment, "seed": run.seed}
            for run in plan.runs
        ],
        "lpips_missing": lpips.missing(),
        "headline": headline.summary(methods),
        "methods": methods,
        "ablation": ablation.summary(plan, found),
        "similarity": similarity.summary(plan, found),
        "pairs": pairs.summary(plan, found),
        "iterations": iterations.summary(plan, found),
        "optimum": optimum.summary(plan, found),
    }
