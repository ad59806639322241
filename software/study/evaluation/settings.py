"""How gain, bits and pairings were chosen: on the same clips, on seeds that are not reported."""

from itertools import product
from typing import Any

from software.library.config import OrbisConfig
from software.study.evaluation.experiment import MOST_SEEDS, Experiment
from software.study.evaluation.judges import GUIDED, SHORT, Judge
from software.study.evaluation.runs import WholeRun, figures_over
from software.study.evaluation.ways import OURS_Q, WAYS
from software.study.evaluation.workers import Found, Task

FIRST_SEED, SEEDS = MOST_SEEDS, 2
GAINS = (1.0, 0.9375, 0.875)
BITS = (4, 2)
PAIRINGS = (2, OrbisConfig.max_iterations)
RATIOS = (0.75, 0.875)
JUDGED = (SHORT.name, GUIDED.name)
_WAY = next(way for way in WAYS if way.name == OURS_Q)
_OURS = (OrbisConfig.residual_gain, OrbisConfig.residual_bits, OrbisConfig.max_iterations)
Setting = tuple[float, float, int, int]
"""Ratio, gain, bits and the most pairings."""


def _settings() -> list[Setting]:
    """Every choice of one with the defaults of the others."""
    gain, bits, pairings = ((default,) for default in _OURS)
    kinds = ((GAINS, bits, pairings), (gain, BITS, pairings), (gain, bits, PAIRINGS))
    found = [setting for kind in kinds for setting in product(RATIOS, *kind)]
    return list(dict.fromkeys(found))


def _runs(experiment: Experiment, judge: Judge, setting: Setting) -> list[WholeRun]:
    ratio, gain, bits, pairings = setting
    options = {
        **_WAY.at(ratio), "residual_gain": gain, "residual_bits": bits, "max_iterations": pairings,
    }  # fmt: skip
    config = experiment.way(judge, **options)
    runs = judge.runs(min(experiment.seeds, SEEDS), FIRST_SEED)
    return [WholeRun(run, config, judge.grid) for run in runs]


def tasks(experiment: Experiment) -> list[Task]:
    """Every judge, setting and run."""
    return [
        task for judge in experiment.named(JUDGED) for setting in _settings()
        for task in _runs(experiment, judge, setting)
    ]  # fmt: skip


def summary(experiment: Experiment, found: Found) -> list[dict[str, Any]]:
    """A row a judge and setting: ``ratio``, ``gain``, ``bits``, ``most_pairings``, figures."""
    return [
        {
            "judge": judge.name,
            **dict(zip(("ratio", "gain", "bits", "most_pairings"), setting, strict=True)),
            **figures_over([found[task] for task in _runs(experiment, judge, setting)]),
        }
        for judge in experiment.named(JUDGED) for setting in _settings()
    ]  # fmt: skip
