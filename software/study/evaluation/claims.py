"""What the frontier says at equal quality: how far ours reduces beyond AsymRnR, for what work.

The paper's claim is about twice as much.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from software.study.evaluation.headline import PAPER_MULTIPLE, Bound, Reach, multiple, reach
from software.study.evaluation.ways import (
    ASYMRNR,
    ASYMRNR_RESIDUAL,
    DATM_COPY,
    OURS,
    OURS_Q,
    WAYS,
)

LEVELS = (45.0, 40.0, 35.0)
"""PSNR in dB at which ways are compared. A claim is made at the highest that AsymRnR crosses and
that ours are not below from the start."""
COMPARED = (ASYMRNR, ASYMRNR_RESIDUAL, DATM_COPY, OURS, OURS_Q)
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
    """Standard error of a figure over the runs, by leaving out one at a time (jackknife).

    They share their model, clips and few noises, so that it is of these, not of others.
    """
    count = curves.runs
    if count < 2:
        return None
    values = [figure(curves.without(run)) for run in range(count)]
    mean = fmean(values)
    return float(((count - 1) / count * sum((value - mean) ** 2 for value in values)) ** 0.5)


def summary(judges: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row a judge: figures at its ``level``, and a ``sentence`` that says them.

    ``multiple`` is of ours, with residuals, over AsymRnR as it is; ``like_for_like`` of DATM over
    AsymRnR with copies, as the paper compares them, and with residuals in both; ``work_share_q`` of
    what ours leaves of SDPA's work where Q alone is reduced, over what AsymRnR leaves.
    """
    return [_claim(judge) for judge in judges]


def _claim(judge: dict[str, Any]) -> dict[str, Any]:
    curves = _Curves.of(judge)
    level = next((each for each in LEVELS if _compares(curves, each)), LEVELS[-1])
    reached = {name: curves.reach(name, level) for name in curves.points if name in COMPARED}
    multiples = {
        restore: _multiple(curves, level, *names)
        for restore, names in (
            ("ours", (OURS, ASYMRNR)),
            ("copy", (DATM_COPY, ASYMRNR)),
            ("residual", (OURS, ASYMRNR_RESIDUAL)),
        )
    }
    share = _work_share(curves, level)
    sentence = (
        f"{judge['name']}, at {level:g} dB or more: {OURS} can drop {reached[OURS]} of the tokens"
        f" and {ASYMRNR} {reached[ASYMRNR]}: {_said(multiples['ours'])} as much. With the same"
        f" restore in both it is {_said(multiples['residual'])} with residuals and"
        f" {_said(multiples['copy'])} with copies, of which the paper claims about"
        f" {PAPER_MULTIPLE} times. {OURS_Q} {reached[OURS_Q]}: {_said(share)} {ASYMRNR}'s SDPA work"
        " in a reduced step."
    )
    return {
        "judge": judge["name"],
        "level": level,
        "reach": {name: str(found) for name, found in reached.items()},
        "multiple": multiples["ours"],
        "like_for_like": {name: multiples[name] for name in ("copy", "residual")},
        "work_share_q": share,
        "sentence": sentence,
    }


def _compares(curves: _Curves, level: float) -> bool:
    """Whether AsymRnR crosses a level within its ratios, and ours begin above it."""
    bounds = [curves.reach(name, level).bound for name in (ASYMRNR, OURS, OURS_Q)]
    return bounds[0] == "exact" and "below" not in bounds[1:]


def _multiple(curves: _Curves, level: float, one: str, other: str) -> dict[str, Any]:
    """How many times as far the one reaches, with its standard error where it is no bound."""

    def times(each: _Curves) -> float:
        return each.reach(one, level).share / each.reach(other, level).share

    return _figure(curves, times, multiple(curves.reach(one, level), curves.reach(other, level)))


def _work_share(curves: _Curves, level: float) -> dict[str, Any]:
    """What ours leaves of SDPA's work with Q alone, of what AsymRnR leaves."""

    def share(each: _Curves) -> float:
        ours, other = (_WORK[name](each.reach(name, level).share) for name in (OURS_Q, ASYMRNR))
        return ours / other

    # Work falls with the share that is dropped: what lies above a range leaves less than its end.
    turned: dict[Bound, Bound] = {"exact": "exact", "above": "below", "below": "above"}
    ends = (curves.reach(name, level) for name in (OURS_Q, ASYMRNR))
    found = multiple(*(Reach(end.share, turned[end.bound]) for end in ends))
    return _figure(curves, share, found)


def _figure(
    curves: _Curves, figure: Callable[[_Curves], float], found: tuple[float, str] | None
) -> dict[str, Any]:
    """A quotient, JSON types: ``value`` is None where the ranges leave it open."""
    if found is None:
        return {"value": None, "bound": "", "error": None}
    _, bound = found
    error = None if bound else _error(curves, figure)
    return {
        "value": round(figure(curves), 4),
        "bound": bound,
        "error": None if error is None else round(error, 4),
    }


def _said(figure: dict[str, Any]) -> str:
    """A quotient in words."""
    if figure["value"] is None:
        return "an unknown number of times"
    lead = f"{figure['bound']} " if figure["bound"] else ""
    error = "" if figure["error"] is None else f" (± {figure['error']:.2f})"
    return f"{lead}{figure['value']:.2f}{error} times"
