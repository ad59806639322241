"""What Table 1 says of the claims: how far each method reduces at a quality, and who is above whom.

The paper's claim is that ORBIS reduces about twice as much as AsymRnR at the same quality.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

from software.evaluation.methods import ASYMRNR, OURS, plain_name
from software.evaluation.runs import mean_and_error

LEVELS = (45.0, 40.0)
"""PSNR, in dB, at which reductions are compared: the highest that most methods reach somewhere in
20 to 60 % with proportional attention, and 5 dB less."""
PLAIN_LEVELS = (40.0, 35.0)
"""Likewise with a plain drop."""
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
    levels: list[dict[str, Any]] = [
        {
            "level": level,
            "plain": plain,
            "reach": {
                name: str(_reach(row, level)) for name, row in rows.items() if row["plain"] == plain
            },
        }
        for plain, values in ((False, LEVELS), (True, PLAIN_LEVELS))
        for level in values
    ]
    return {
        "levels": levels,
        "multiples": [_multiple(rows, entry["level"], entry["plain"]) for entry in levels],
        "dominance": " ".join(_dominance(methods, plain) for plain in (False, True)),
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
    baselines = [row for row in methods if row["plain"] == plain and row["baseline"]]
    beaten = list(_not_above(ours, baselines))
    lead = f"{'With a plain drop' if plain else 'With proportional attention'}, {OURS} is"
    if not beaten:
        closest = min(
            (mine["psnr"] - point["psnr"], row["name"], point["ratio"])
            for row in baselines
            for mine, point in zip(ours["ratios"], row["ratios"], strict=True)
        )
        return (
            f"{lead} above every baseline at every ratio, the closest being {closest[1]} at"
            f" {closest[2] * 100:g} %, {closest[0]:.2f} dB below."
        )
    return f"{lead} above every baseline at every ratio but for {'; '.join(beaten)}."


def _not_above(ours: dict[str, Any], baselines: Sequence[dict[str, Any]]) -> Iterator[str]:
    for row in baselines:
        for mine, point in zip(ours["ratios"], row["ratios"], strict=True):
            gaps = [b - a for a, b in zip(mine["runs"], point["runs"], strict=True)]
            if fmean(gaps) >= 0:
                _, error = mean_and_error(gaps)
                spread = "" if error is None else f" (standard error {error:.2f} dB)"
                yield (
                    f"{row['name']} at {point['ratio'] * 100:g} %, which is"
                    f" {fmean(gaps):.2f} dB above it{spread}"
                )
