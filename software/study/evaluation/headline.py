"""What Table 1 says of the claims: how far each method reduces at a quality, and who is above whom.

The paper's claim is that ORBIS reduces about twice as much as AsymRnR at the same quality.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from software.study.evaluation.methods import ASYMRNR, OURS, plain_name
from software.study.evaluation.runs import mean_and_error

LEVELS = {False: (48.0, 45.0), True: (40.0, 35.0)}
"""PSNR, in dB, at which reductions are compared, with proportional attention and with a plain drop
(True): round numbers that both compared methods of the full experiment reach within its ratios."""
PAPER_MULTIPLE = 2

Bound = Literal["exact", "above", "below"]


@dataclass(frozen=True)
class Reach:
    """The largest reduction at which a method stays above a level.

    Attributes:
        share: of the video tokens, in reduced steps; the end of the measured range where the
            reduction lies beyond it.
        bound: whether it does, and on which side.
    """

    share: float
    bound: Bound = "exact"

    def __str__(self) -> str:
        words = "" if self.bound == "exact" else f"{self.bound} "
        return f"{words}{self.share * 100:.{1 if self.bound == 'exact' else 0}f} %"


def reach(points: Sequence[tuple[float, float]], level: float) -> Reach:
    """Where a line of (share, PSNR) points first falls below a level, linear between points.

    Args:
        points: ascending in share, at least one.
        level: dB.
    """
    before = None
    for share, psnr in points:
        if psnr < level:
            if before is None:
                return Reach(share, "below")
            last_share, last_psnr = before
            part = (last_psnr - level) / (last_psnr - psnr)
            return Reach(last_share + part * (share - last_share))
        before = (share, psnr)
    return Reach(points[-1][0], "above")


def multiple(one: Reach, other: Reach) -> tuple[float, Literal["", "at least", "at most"]] | None:
    """How many times as far the one reaches; None where the range leaves it open.

    Where only one of them lies beyond the range, the quotient of its end bounds the multiple.
    """
    at_least = one.bound == "above" or other.bound == "below"
    at_most = one.bound == "below" or other.bound == "above"
    if at_least and at_most:
        return None
    return one.share / other.share, "at least" if at_least else "at most" if at_most else ""


def summary(methods: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The headline from Table 1's rows: ``levels``, ``multiples`` and ``dominance`` sentences."""
    rows = {row["name"]: row for row in methods}
    levels = [level for values in LEVELS.values() for level in values]
    return {
        "levels": [
            {
                "level": level,
                "reach": {name: str(_reach(row, level)) for name, row in rows.items()},
            }
            for level in levels
        ],
        "multiples": [
            _multiple(rows, level, plain) for plain, values in LEVELS.items() for level in values
        ],
        "dominance": " ".join(_dominance(methods, plain) for plain in LEVELS),
    }


def _reach(row: dict[str, Any], level: float) -> Reach:
    return reach([(point["ratio"], point["psnr"]) for point in row["ratios"]], level)


def _multiple(rows: dict[str, dict[str, Any]], level: float, plain: bool) -> str:
    ours, other = (rows[plain_name(name) if plain else name] for name in (OURS, ASYMRNR))
    one, two = _reach(ours, level), _reach(other, level)
    how = "with a plain drop, as in the paper" if plain else "with proportional attention"
    found = multiple(one, two)
    lead = (
        f"At {level:g} dB or more, {how}, {OURS} can drop {one} of the tokens and {ASYMRNR} {two}"
    )
    if found is None:
        return f"{lead}: no multiple follows from that."
    times, bound = found
    return (
        f"{lead}: {bound + ' ' if bound else ''}{times:.2f} times as much"
        f" (the paper claims about {PAPER_MULTIPLE} times)."
    )


def _dominance(methods: Sequence[dict[str, Any]], plain: bool) -> str:
    """Whether ours is above every baseline at every ratio, and where it is not."""
    ours = next(row for row in methods if row["plain"] == plain and row["name"] in
                (OURS, plain_name(OURS)))  # fmt: skip
    margins = [
        _margin(row["name"], mine, theirs)
        for row in methods if row["plain"] == plain and row["baseline"]
        for mine, theirs in zip(ours["ratios"], row["ratios"], strict=True)
    ]  # fmt: skip
    lead = (
        f"{'With a plain drop' if plain else 'With proportional attention'}, {OURS} is above every"
        " baseline at every ratio"
    )
    lost = [margin for margin in margins if margin.mean <= 0]
    if lost:
        return f"{lead} but for {'; '.join(map(str, lost))}."
    closest = min(margins, key=lambda margin: margin.mean)
    return f"{lead}, the closest being {closest}."


@dataclass(frozen=True)
class _Margin:
    """How far ours is above a baseline at a ratio, in dB over the runs."""

    name: str
    ratio: float
    mean: float
    error: float | None

    def __str__(self) -> str:
        spread = "" if self.error is None else f" (standard error {self.error:.2f})"
        side = "below" if self.mean > 0 else "above"
        return f"{self.name} at {self.ratio * 100:g} %, {abs(self.mean):.2f} dB{spread} {side}"


def _margin(name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> _Margin:
    gaps = [a - b for a, b in zip(ours["runs"], theirs["runs"], strict=True)]
    return _Margin(name, ours["ratio"], *mean_and_error(gaps))
