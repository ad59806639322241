"""Table 1 and the headline picture: every method at every ratio."""

from typing import Any

from software.library.config import OrbisConfig
from software.study.evaluation.experiment import Experiment
from software.study.evaluation.methods import METHODS
from software.study.evaluation.runs import StepAlone, WholeRun, figures_over, mean_of
from software.study.evaluation.workers import Found, Task


def tasks(experiment: Experiment) -> list[Task]:
    """Every method, ratio and run; one step alone at the experiment's one ratio."""
    whole = [
        task for method in METHODS for ratio in experiment.ratios
        for task in whole_runs(experiment, method.config(experiment, ratio))
    ]  # fmt: skip
    alone = [
        task for method in METHODS
        for task in _steps(experiment, method.config(experiment, experiment.ratio))
    ]  # fmt: skip
    return [*whole, *alone]


def whole_runs(experiment: Experiment, config: OrbisConfig) -> list[WholeRun]:
    """The reduced runs of one way of reducing."""
    return [WholeRun(run, config, experiment.grid) for run in experiment.runs]


def _steps(experiment: Experiment, config: OrbisConfig) -> list[StepAlone]:
    """Of the first seed's runs: steps vary less than runs do."""
    return [StepAlone(run, config, experiment.grid) for run in experiment.judge.runs(1)]


def over_runs(experiment: Experiment, config: OrbisConfig, found: Found) -> dict[str, Any]:
    """Figures of one way of reducing."""
    return figures_over([found[task] for task in whole_runs(experiment, config)])


def summary(experiment: Experiment, found: Found) -> list[dict[str, Any]]:
    """A row a method: ``name``, ``plain``, ``baseline``, ``ratios`` and ``step_psnr``."""
    return [
        {
            "name": method.name,
            "plain": method.plain,
            "baseline": method.baseline,
            "ratios": [
                {"ratio": ratio, **over_runs(experiment, method.config(experiment, ratio), found)}
                for ratio in experiment.ratios
            ],
            "step_psnr": mean_of(
                [
                    found[task]
                    for task in _steps(experiment, method.config(experiment, experiment.ratio))
                ]
            ),
        }
        for method in METHODS
    ]
