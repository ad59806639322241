"""What the pages say of the figures that no file holds as it is: a difference, a ratio, a find."""

from statistics import mean, stdev
from typing import Any, TypeVar

from software.library.config import OrbisConfig
from software.study.evaluation.headline import multiple, reach
from software.study.evaluation.methods import ASYMRNR, OURS, plain_name
from software.study.evaluation.ways import OURS_Q
from software.study.exploration.tasks import EXACT
from synth.scaling import BUDGET_SHARE
from synth.sram import DEEPEST_KNOWN, Macro
from system.models import INSTANCES

ARRANGEMENTS = {"paper": 38, "compact": 38, "quad": 10}
"""Engines that 38 instances have, by preset."""
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


def point(evaluation: dict[str, Any], way: str, ratio: float, judge: int = 0) -> dict[str, Any]:
    """A point of the frontier: of a judge by its place, a way by its name, at a ratio."""
    return the(the(evaluation["frontier"][judge]["ways"], name=way)["points"], ratio=ratio)


def default_point(evaluation: dict[str, Any], judge: int = 0) -> dict[str, Any]:
    """The point that is the default."""
    return point(evaluation, OURS_Q, OrbisConfig.ratio, judge)


def apart(evaluation: dict[str, Any], way: str, ratio: float) -> str:
    """On which judges the default is above a way at a ratio, and on which below, in dB."""
    sides: dict[str, list[str]] = {"above": [], "below": []}
    for number, judge in enumerate(evaluation["frontier"]):
        gap = (
            default_point(evaluation, number)["psnr"]
            - point(evaluation, way, ratio, number)["psnr"]
        )
        side = "above" if gap > 0 else "below"
        sides[side].append(f"{abs(gap):.1f} dB ({judge['name']})")
    told = [f"{side} it by {', '.join(found)}" for side, found in sides.items() if found]
    return " and ".join(told)


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


def stages_of(layer: dict[str, Any]) -> dict[str, float]:
    """The share that each stage has of a layer's cycles."""
    shares: dict[str, float] = {}
    for part in layer["stages"]:
        shares[part["stage"]] = shares.get(part["stage"], 0.0) + part["share"]
    return shares


def slowest(area: dict[str, Any]) -> dict[str, Any]:
    """The module of the longest path."""
    module: dict[str, Any] = max(area["modules"], key=lambda module: module["delay"] or 0)
    return module


def without_deeper_gain(area: dict[str, Any]) -> float:
    """All of it at 28 nm, mm2, were a bit no smaller in deeper memories than in `DEEPEST_KNOWN`."""
    gained = 0.0
    for each in area["sram"]:
        macro = Macro(each["depth"], each["width"], each["ports"])
        if macro.depth > DEEPEST_KNOWN:
            known = Macro(DEEPEST_KNOWN, macro.width, macro.ports)
            gained += each["count"] * (known.area(28) * macro.bits / known.bits - macro.area(28))
    whole: float = area["summary"]["scaled_mm2"]["28"]
    return whole + gained / 1e6


def scales_of(exploration: dict[str, Any]) -> list[dict[str, Any]]:
    """What each quantiser does to videos, but for the one that the others are held against."""
    found: dict[tuple[int, int], dict[str, Any]] = {}
    for each in exploration["points"]:
        names = {name: each["config"][name] for name in ("scale_group", "weight_bits")}
        if each["quality"] is not None:
            found[tuple(names.values())] = {**names, **each["quality"]}
    exact = (EXACT.scale_group, EXACT.weight_bits)
    return [found[scale] for scale in sorted(found) if scale != exact]


def arranged(exploration: dict[str, Any], preset: str, engines: int) -> dict[str, float]:
    """What so many engines of a preset are to 38 instances, an engine taking whole layers.

    ``mm2`` and ``share_of_instance`` are of an instance's part of all engines. Of the models the
    worse one counts. A point's figures are those of an engine for each instance.
    """
    found = the(exploration["points"], preset=preset)
    layers, share = list(found["layers"].values()), engines / INSTANCES
    return {
        "engines": engines,
        "mm2": found["area"]["mm2"]["28"] * share,
        "share_of_instance": found["area"]["share_of_instance"] * share,
        "margin": min(layer["margin"] for layer in layers) * share,
        "bandwidth_share": max(layer["bandwidth_share"] for layer in layers) * share,
        "utilisation": min(layer["utilisation"] for layer in layers),
    }


def times_budget(area: dict[str, Any]) -> float:
    """How many times the budget of the paper's engine, cells and SRAM."""
    share: float = area["summary"]["share_of_instance"]
    return share / BUDGET_SHARE
