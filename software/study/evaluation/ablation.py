"""Table 2: one choice of DATM changed at a time."""

from typing import Any

from software.study.evaluation.experiment import Experiment
from software.study.evaluation.table import over_runs, whole_runs
from software.study.evaluation.workers import Found, Task

Choice = tuple[str, dict[str, Any]]

CHOICES: dict[str, tuple[Choice, ...]] = {
    "bits of a token's channel": (("4", {}), ("float", {"bits": None})),
    "channels that share a scale (4 bits)": tuple(
        (str(group), {"scale_group": group}) for group in (1, 16, 32)
    ),
    "first dst": (
        ("random at each match", {}),
        ("those of the layer's last match (warm start)", {"warm_start": True}),
    ),
    "least change of the loss that goes on (epsilon)": tuple(
        (f"{epsilon:g}", {"epsilon": epsilon}) for epsilon in (0.0, 0.001, 0.01, 0.1)
    ),
    "reduced steps after a full one": tuple(
        (str(steps), {"rc_steps": steps}) for steps in (1, 3, 5)
    ),
    "dst, of all tokens": tuple(
        (name, {"dst_fraction": fraction})
        for name, fraction in (("1/8", 0.125), ("1/4", 0.25), ("3/8", 0.375))
    ),
    "what is reduced": (("Q, K and V", {}), ("Q alone", {"targets": "q"})),
}
"""By subject; everything else is as in ``OURS``, whose own choice is one of each subject's."""


def tasks(experiment: Experiment) -> list[Task]:
    """Every choice and run."""
    return [
        task for choices in CHOICES.values() for _, options in choices
        for task in whole_runs(experiment, experiment.reduction(experiment.ratio, **options))
    ]  # fmt: skip


def summary(experiment: Experiment, found: Found) -> list[dict[str, Any]]:
    """A row a choice: ``subject``, ``choice``, whether it is ``ours``, and figures over runs."""
    ours = experiment.reduction(experiment.ratio)
    rows = []
    for subject, choices in CHOICES.items():
        for choice, options in choices:
            config = experiment.reduction(experiment.ratio, **options)
            figures = over_runs(experiment, config, found)
            rows.append({"subject": subject, "choice": choice, "ours": config == ours, **figures})
    return rows
