"""Table 1 and the headline picture: every method at every ratio."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from software.library.config import OrbisConfig
from software.study.evaluation.methods import METHODS
from software.study.evaluation.plan import Plan
from software.study.evaluation.runs import StepAlone, WholeRun, mean_and_error
from software.study.evaluation.workers import Found, Task


def tasks(plan: Plan) -> list[Task]:
    """Every method, ratio and run; one step alone at the plan's one ratio."""
    whole = [
        task for method in METHODS for ratio in plan.ratios
        for task in whole_runs(plan, method.config(plan, ratio))
    ]  # fmt: skip
    return [*whole, *(task for method in METHODS
                      for task in _steps(plan, method.config(plan, plan.ratio)))]  # fmt: skip


def whole_runs(plan: Plan, config: OrbisConfig) -> list[WholeRun]:
    """The reduced runs of one way of reducing."""
    return [WholeRun(run, config, plan.grid) for run in plan.runs]


def _steps(plan: Plan, config: OrbisConfig) -> list[StepAlone]:
    return [StepAlone(run, config, plan.grid) for run in plan.runs]


def over_runs(plan: Plan, config: OrbisConfig, found: Found) -> dict[str, Any]:
    """Figures of one way of reducing: means, the error of PSNR's, and PSNR run by run."""
    rows = [found[task] for task in whole_runs(plan, config)]
    psnrs = [row["psnr"] for row in rows]
    mean, error = mean_and_error(psnrs)
    others = {name: _mean([row[name] for row in rows]) for name in rows[0] if name != "psnr"}
    return {
        "psnr": mean, "psnr_error": error, **others, "runs": [round(psnr, 3) for psnr in psnrs],
    }  # fmt: skip


def summary(plan: Plan, found: Found) -> list[dict[str, Any]]:
    """A row a method: ``name``, ``plain``, ``baseline``, ``ratios`` and ``step_psnr``."""
    return [
        {
            "name": method.name,
            "plain": method.plain,
            "baseline": method.baseline,
            "ratios": [
                {"ratio": ratio, **over_runs(plan, method.config(plan, ratio), found)}
                for ratio in plan.ratios
            ],
            "step_psnr": _mean(
                [found[task] for task in _steps(plan, method.config(plan, plan.ratio))]
            ),
        }
        for method in METHODS
    ]


def _mean(values: Sequence[float]) -> float:
    return round(fmean(values), 4)
