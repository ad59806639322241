from typing import Any

import pytest

from software.study.evaluation.headline import Reach, multiple, reach, summary
from software.study.evaluation.methods import METHODS

FALLING = [(0.2, 50.0), (0.4, 40.0), (0.6, 30.0)]


def test_reach_is_linear_between_points() -> None:
    for level, share in ((45, 0.3), (37.5, 0.45), (40, 0.4)):
        found = reach(FALLING, level)
        assert found.share == pytest.approx(share)
        assert found.bound == "exact"
    assert str(reach(FALLING, 45)) == "30.0 %"


def test_reach_says_where_it_leaves_the_range() -> None:
    assert reach(FALLING, 51) == Reach(0.2, "below")
    assert reach(FALLING, 29) == Reach(0.6, "above")
    assert str(reach(FALLING, 51)) == "below 20 %"
    assert str(reach(FALLING, 29)) == "above 60 %"


def test_reach_ends_where_the_line_first_falls_below() -> None:
    assert reach([(0.2, 50), (0.3, 40), (0.4, 50)], 45).share == pytest.approx(0.25)


def test_a_multiple_is_exact_or_a_bound_or_nothing() -> None:
    half, quarter = Reach(0.5), Reach(0.25)
    above, below = Reach(0.6, "above"), Reach(0.2, "below")
    expected = {
        (half, quarter): (2, ""),
        (above, quarter): (2.4, "at least"),
        (half, below): (2.5, "at least"),
        (above, below): (3, "at least"),
        (below, quarter): (0.8, "at most"),
        (half, above): (0.5 / 0.6, "at most"),
        (below, above): (1 / 3, "at most"),
    }
    for (one, other), (times, bound) in expected.items():
        found = multiple(one, other)
        assert found is not None
        assert found[0] == pytest.approx(times)
        assert found[1] == bound
    assert multiple(above, above) is None
    assert multiple(below, below) is None


def rows(psnrs: dict[str, tuple[float, float]]) -> list[dict[str, Any]]:
    """Table 1 with two runs at two ratios; 30 dB of whatever is not named."""
    return [
        {
            "name": method.name, "plain": method.plain, "baseline": method.baseline,
            "ratios": [
                {"ratio": ratio, "psnr": psnr, "runs": [psnr - 1, psnr + 1]}
                for ratio, psnr in zip((0.2, 0.6), psnrs.get(method.name, (30.0, 30.0)),
                                       strict=True)
            ],
        }
        for method in METHODS
    ]  # fmt: skip


def test_the_headline_compares_with_asymrnr() -> None:
    found = summary(rows({"DATM 4-bit on output": (55.0, 40.0), "AsymRnR": (51.0, 36.0)}))
    lead = "with proportional attention, DATM 4-bit on output can drop"
    assert found["multiples"][:2] == [
        f"At 48 dB or more, {lead} 38.7 % of the tokens and AsymRnR 28.0 %: 1.38 times as much (the"
        " paper claims about 2 times).",
        f"At 45 dB or more, {lead} 46.7 % of the tokens and AsymRnR 36.0 %: 1.30 times as much (the"
        " paper claims about 2 times).",
    ]
    plain = found["multiples"][-1]
    assert "with a plain drop, as in the paper" in plain
    assert plain.endswith("AsymRnR below 20 %: no multiple follows from that.")
    assert [entry["level"] for entry in found["levels"]] == [48, 45, 40, 35]
    reached = found["levels"][0]["reach"]
    assert list(reached) == [method.name for method in METHODS]
    assert reached["AsymRnR"] == "28.0 %"
    assert reached["AsymRnR, plain drop"] == "below 20 %"


def test_the_headline_says_where_a_baseline_is_better() -> None:
    ours = {"DATM 4-bit on output": (50.0, 40.0), "DATM 4-bit on output, plain drop": (33.0, 31.0)}
    assert summary(rows(ours))["dominance"] == (
        "With proportional attention, DATM 4-bit on output is above every baseline at every ratio,"
        " the closest being BSM 2x2 on input at 60 %, 10.00 dB (standard error 0.00) below."
        " With a plain drop, DATM 4-bit on output is above every baseline at every ratio, the"
        " closest being BSM 2x2x2 on output, plain drop at 60 %, 1.00 dB (standard error 0.00)"
        " below."
    )
    lost = summary(rows({**ours, "random dst on output": (49.0, 41.5)}))["dominance"]
    assert lost.startswith(
        "With proportional attention, DATM 4-bit on output is above every baseline at every ratio"
        " but for random dst on output at 60 %, 1.50 dB (standard error 0.00) above."
    )
