"""What the frontier says at equal quality: how far ours reduces beyond AsymRnR, for what work.

The paper's claim is about twice as much.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from software.study.evaluation.headline import PAPER_MULTIPLE, Bound, Reach, multiple, reach
from software.study.evaluation.ways import ASYMRNR, OURS, OURS_Q, WAYS

LEVELS = (45.0, 40.0, 35.0)
"""PSNR in dB at which ways are compared; a claim is made at the highest that AsymRnR crosses."""
_WORK = {way.name: way.work for way in WAYS}


@dataclass(frozen=True)
class _Curves:
    """PSNR of each way at its ratios, run by run."""

    points: dict[str, list[tuple[float, list[float]]]]

    @classmethod
    def of(cls, judge: dict[str, Any]) -> "_Curves":
        return cls(
            {way["name"]: [(point["ratio"], point["runs"]) for point in way["points"]]
             for way in judge["ways"]}
        )  # fmt: skip

    def without(self, run: int) -> "_Curves":
        return _Curves(
            {name: [(ratio, psnrs[:run] + psnrs[run + 1 :]) for ratio, psnrs in points]
             for name, points in self.points.items()}
        )  # fmt: skip

    @property
    def runs(self) -> int:
        return len(self.points[ASYMRNR][0][1])

    def reach(self, name: str, level: float) -> Reach:
        return reach([(ratio, fmean(psnrs)) for ratio, psnrs in self.points[name]], level)


def _error(curves: _Curves, figure: Callable[[_Curves], float]) -> float | None:
    """Standard error of a figure over the runs, by leaving out one at a time (jackknife)."""
    count = curves.runs
    if count < 2:
        return None
    values = [figure(curves.without(run)) for run in range(count)]
    mean = fmean(values)
    return float(((count - 1) / count * sum((value - mean) ** 2 for value in values)) ** 0.5)


def summary(judges: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row a judge: figures at its ``level``, and a ``sentence`` that says them."""
    return [_claim(judge) for judge in judges]


def _claim(judge: dict[str, Any]) -> dict[str, Any]:
    curves = _Curves.of(judge)
    crossed = [level for level in LEVELS if curves.reach(ASYMRNR, level).bound == "exact"]
    level = crossed[0] if crossed else LEVELS[-1]
    reached = {name: curves.reach(name, level) for name in (ASYMRNR, OURS, OURS_Q)}
    work = {name: _WORK[name](found.share) for name, found in reached.items()}
    times = _Figure.of(
        curves, lambda each: _times(each, level), _times_bound(reached[OURS], reached[ASYMRNR])
    )
    share = _Figure.of(
        curves, lambda each: _share(each, level), _share_bound(reached[OURS_Q], reached[ASYMRNR])
    )
    least = min(work[OURS], work[OURS_Q]) / work[ASYMRNR]
    sentence = (
        f"{judge['name']}, at {level:g} dB or more: {OURS} can drop {reached[OURS]} of the tokens"
        f" and {ASYMRNR} {reached[ASYMRNR]}, {times} times as much (the paper claims about"
        f" {PAPER_MULTIPLE}); {OURS_Q} {reached[OURS_Q]}, which leaves {share} times {ASYMRNR}'s"
        " SDPA work in a reduced step."
    )
    return {
        "judge": judge["name"], "level": level,
        "reach": {name: str(found) for name, found in reached.items()},
        "work": {name: round(left, 4) for name, left in work.items()},
        "multiple": times.json(), "work_share_q": share.json(),
        "least_work_share": round(least, 4), "sentence": sentence,
    }  # fmt: skip


@dataclass(frozen=True)
class _Figure:
    """A quotient, its standard error over runs, and whether it is a bound."""

    value: float
    error: float | None
    bound: str

    @classmethod
    def of(cls, curves: _Curves, figure: Callable[[_Curves], float], bound: str) -> "_Figure":
        return cls(figure(curves), _error(curves, figure), bound)

    def __str__(self) -> str:
        lead = f"{self.bound} " if self.bound else ""
        return f"{lead}{self.value:.2f}" + ("" if self.error is None else f" ± {self.error:.2f}")

    def json(self) -> dict[str, Any]:
        error = None if self.error is None else round(self.error, 4)
        return {"value": round(self.value, 4), "error": error, "bound": self.bound}


def _times(curves: _Curves, level: float) -> float:
    return curves.reach(OURS, level).share / curves.reach(ASYMRNR, level).share


def _share(curves: _Curves, level: float) -> float:
    ours, other = (_WORK[name](curves.reach(name, level).share) for name in (OURS_Q, ASYMRNR))
    return ours / other


def _times_bound(ours: Reach, other: Reach) -> str:
    found = multiple(ours, other)
    return "unbounded:" if found is None else found[1]


def _share_bound(ours: Reach, other: Reach) -> str:
    """Work falls with the share that is dropped."""
    turned: dict[Bound, Bound] = {"exact": "exact", "above": "below", "below": "above"}
    return _times_bound(
        Reach(ours.share, turned[ours.bound]), Reach(other.share, turned[other.bound])
    )
