"""What the frontier is said to show, on curves made by hand."""

from typing import Any

import pytest

from software.study.evaluation import claims
from software.study.evaluation.ways import (
    ASYMRNR,
    ASYMRNR_RESIDUAL,
    DATM_COPY,
    OURS,
    OURS_Q,
    WAYS,
)

Curve = list[tuple[float, list[float]]]


def judge(**curves: Curve) -> dict[str, Any]:
    """A judge with a curve for each of the compared ways, (ratio, PSNR of each run)."""
    by_name = {
        ASYMRNR: curves["asymrnr"], OURS: curves["ours"], OURS_Q: curves["queries"],
        ASYMRNR_RESIDUAL: curves.get("coded", FALLING), DATM_COPY: curves.get("copied", FALLING),
    }  # fmt: skip
    return {
        "name": "by hand",
        "ways": [
            {"name": name, "points": [{"ratio": ratio, "runs": psnrs} for ratio, psnrs in curve]}
            for name, curve in by_name.items()
        ],
    }


FALLING: Curve = [(0.1, [49.0, 51.0]), (0.3, [39.0, 41.0])]  # 45 dB at 0.2 on average


def test_multiples_and_their_errors_by_hand() -> None:
    ours: Curve = [(0.4, [49.0, 51.0]), (0.6, [39.0, 41.0])]  # at 0.5
    queries: Curve = [(0.7, [50.0, 50.0]), (0.9, [40.0, 40.0])]  # at 0.8 in each run
    coded: Curve = [(0.3, [50.0, 50.0]), (0.5, [40.0, 40.0])]  # at 0.4
    copied: Curve = [(0.2, [50.0, 50.0]), (0.4, [40.0, 40.0])]  # at 0.3
    (found,) = claims.summary(
        [judge(asymrnr=FALLING, ours=ours, queries=queries, coded=coded, copied=copied)]
    )
    assert found["level"] == 45
    assert found["like_for_like"]["residual"]["value"] == pytest.approx(0.5 / 0.4)
    assert found["like_for_like"]["copy"]["value"] == pytest.approx(0.3 / 0.2)
    assert found["multiple"]["value"] == pytest.approx(0.5 / 0.2)
    # Left out in turn: 0.52 / 0.22 and 0.48 / 0.18; of two values the jackknife's error is half
    # their distance.
    assert found["multiple"]["error"] == pytest.approx((0.48 / 0.18 - 0.52 / 0.22) / 2, abs=1e-4)
    assert found["multiple"]["bound"] == ""
    assert found["work_share_q"]["value"] == pytest.approx(0.2 / 0.64, abs=1e-4)
    assert "2.50 (± 0.15) times as much" in found["sentence"]
    assert "it is 1.25" in found["sentence"]


def test_what_lies_beyond_the_range_is_a_bound() -> None:
    high: Curve = [(0.5, [60.0, 60.0]), (0.75, [55.0, 55.0])]
    (found,) = claims.summary([judge(asymrnr=FALLING, ours=high, queries=high)])
    assert found["multiple"] == {"value": 0.75 / 0.2, "bound": "at least", "error": None}
    assert found["work_share_q"]["bound"] == "at most"
    assert "at least 3.75" in found["sentence"]
    assert "at most 0.39 times" in found["sentence"]
    far: Curve = [(0.4, [60.0, 60.0]), (0.7, [50.0, 50.0])]
    (found,) = claims.summary([judge(asymrnr=FALLING, ours=high, queries=high, coded=far)])
    assert found["like_for_like"]["residual"]["value"] is None
    assert "an unknown number of times with residuals" in found["sentence"]


def test_a_claim_is_made_at_the_highest_level_that_the_rival_crosses() -> None:
    low: Curve = [(ratio, [psnr - 9 for psnr in psnrs]) for ratio, psnrs in FALLING]
    (found,) = claims.summary([judge(asymrnr=low, ours=low, queries=low)])
    assert found["level"] == 40  # of 41 and 31 dB
    further: Curve = [*FALLING, (0.5, [30.0, 30.0])]
    (found,) = claims.summary([judge(asymrnr=further, ours=low, queries=low)])
    assert found["level"] == 40  # ours begin below 45
    never: Curve = [(0.1, [20.0]), (0.3, [10.0])]
    (found,) = claims.summary([judge(asymrnr=never, ours=FALLING, queries=FALLING)])
    assert found["level"] == 35
    assert found["multiple"]["error"] is None
    assert found["multiple"]["bound"] == "at least"


def test_ways_that_drop_keys_fall_with_the_square() -> None:
    work = {way.name: way.work(0.5) for way in WAYS}
    assert work[OURS] == work[ASYMRNR] == 0.25
    assert work[OURS_Q] == work["src cached, Q alone"] == 0.5
