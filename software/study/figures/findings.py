"""What the pages say of the figures that no file holds as it is: a difference, a ratio, a find."""

from statistics import mean, stdev
from typing import Any, TypeVar

from software.library.config import OrbisConfig
from software.study.evaluation.headline import multiple, reach
from software.study.evaluation.methods import ASYMRNR, OURS, plain_name
from software.study.evaluation.ways import OURS_Q
from synth.scaling import BUDGET_SHARE

_T = TypeVar("_T")


def the(entries: list[dict[str, _T]], **wanted: object) -> dict[str, _T]:
    """The one entry that has these values.

    Raises:
        ValueError: there is none, or more than one.
    """
    (found,) = (
        entry for entry in entries if all(entry[key] == value for key, value in wanted.items())
    )
    return found


def above(evaluation: dict[str, Any], method: str, other: str) -> str:
    """How far one method's PSNR is above another's, run by run at the evaluation's ratio, in dB."""
    ratio = evaluation["config"]["ratio"]
    runs, others = (
        the(the(evaluation["methods"], name=name)["ratios"], ratio=ratio)["runs"]
        for name in (method, other)
    )
    gaps = [a - b for a, b in zip(runs, others, strict=True)]
    return f"{mean(gaps):+.1f} dB (± {stdev(gaps) / len(gaps) ** 0.5:.1f})"


def default_point(evaluation: dict[str, Any]) -> dict[str, Any]:
    """The point of the frontier that is the default."""
    ways = evaluation["frontier"][0]["ways"]
    return the(the(ways, name=OURS_Q)["points"], ratio=OrbisConfig.ratio)


def matters_at_default(evaluation: dict[str, Any]) -> list[dict[str, Any]]:
    """What matching is worth at the default ratio and M, a row a set of runs."""
    default = {"ratio": OrbisConfig.ratio, "dst_fraction": OrbisConfig.dst_fraction}
    return [
        row for row in evaluation["matters"]
        if all(row[name] == value for name, value in default.items())
    ]  # fmt: skip


def reduction_multiple(evaluation: dict[str, Any], level: float, *, plain: bool) -> str:
    """How many times as much DATM can drop as AsymRnR at a PSNR in dB or more."""
    names = [plain_name(name) if plain else name for name in (OURS, ASYMRNR)]
    rows = (the(evaluation["methods"], name=name)["ratios"] for name in names)
    found = multiple(
        *(reach([(point["ratio"], point["psnr"]) for point in points], level) for points in rows)
    )
    if found is None:
        return "unknown"
    times, bound = found
    return f"{bound} {times:.2f}".lstrip()


def slowest(area: dict[str, Any]) -> dict[str, Any]:
    """The module of the longest path."""
    module: dict[str, Any] = max(area["modules"], key=lambda module: module["delay"] or 0)
    return module


def times_budget(area: dict[str, Any]) -> float:
    """How many times the budget of the paper's engine, cells and SRAM."""
    share: float = area["summary"]["share_of_instance"]
    return share / BUDGET_SHARE
