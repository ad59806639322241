"""How a residual's gain and bits were chosen: on seeds of their own, which nothing else reports."""

from itertools import product
from typing import Any

from software.library.config import OrbisConfig
from software.study.evaluation.experiment import Experiment
from software.study.evaluation.judges import Judge
from software.study.evaluation.runs import WholeRun, figures_over
from software.study.evaluation.ways import OURS_Q, WAYS
from software.study.evaluation.workers import Found, Task

FIRST_SEED = 10
"""Those before it are reported on."""
GAINS = (1.0, 0.9375, 0.875, 0.75)
BITS = (4, 2)
RATIOS = (0.5, 0.75, 0.875)
JUDGED = ("20 steps", "20 steps, held out", "20 steps, guided")
_WAY = next(way for way in WAYS if way.name == OURS_Q)
Setting = tuple[float, float, int]
"""Ratio, gain and bits."""


def _settings() -> list[Setting]:
    """Every gain with the default bits, every width with the default gain."""
    gains = product(RATIOS, GAINS, (OrbisConfig.residual_bits,))
    return list(dict.fromkeys([*gains, *product(RATIOS, (OrbisConfig.residual_gain,), BITS)]))


def _runs(experiment: Experiment, judge: Judge, setting: Setting) -> list[WholeRun]:
    ratio, gain, bits = setting
    options = {**_WAY.at(ratio), "residual_gain": gain, "residual_bits": bits}
    config = experiment.way(judge, **options)
    runs = judge.runs(experiment.seeds, FIRST_SEED)
    return [WholeRun(run, config, judge.grid) for run in runs]


def tasks(experiment: Experiment) -> list[Task]:
    """Every judge, setting and run."""
    return [
        task for judge in experiment.named(JUDGED) for setting in _settings()
        for task in _runs(experiment, judge, setting)
    ]  # fmt: skip


def summary(experiment: Experiment, found: Found) -> list[dict[str, Any]]:
    """A row a judge and setting: ``ratio``, ``gain``, ``bits`` and figures over runs."""
    return [
        {
            "judge": judge.name, "ratio": setting[0], "gain": setting[1], "bits": setting[2],
            **figures_over([found[task] for task in _runs(experiment, judge, setting)]),
        }
        for judge in experiment.named(JUDGED) for setting in _settings()
    ]  # fmt: skip
