"""The cycle model on two small engines that are simulated; and what the comparison shows."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from hw.config import PRESETS, EngineConfig
from software.study.bench import cycle_cases, cycles

SMALL = replace(
    PRESETS["tiny"], max_tokens=256, max_dst=64, burst_beats=8, fifo_beats=32, quantize_lanes=4
)
CONFIGS: dict[str, EngineConfig] = {
    "own scales": SMALL,
    "shared scales": replace(SMALL, scale_group=4, dst_lanes=4, src_lanes=3, bus_bytes=32),
}
TOKENS = {
    "random": torch.randn(256, 64, generator=torch.Generator().manual_seed(0)).half(),
    "clusters": cycle_cases.clusters(200, 64, 23),
    "all alike": torch.ones(180, 40).half(),
}


def rows() -> list[dict[str, Any]]:
    found = []
    for name, config in CONFIGS.items():
        engines = cycles.Engines.of(config, name)
        for kind, tokens in TOKENS.items():
            for every_pair in (False, True):
                row = cycles.compare(engines, tokens, 40, every_pair=every_pair)
                found.append({"engine": name, "data": kind, **row})
        engines.close()
    return found


def test_the_model_is_near_the_engine(capsys: pytest.CaptureFixture[str]) -> None:
    found = rows()
    for row in found:
        assert row["beats"] == row["beats_modelled"], row
        assert abs(row["busy_modelled"] / row["busy"] - 1) < 0.03, row
    summary = cycles.summarise(found)
    cycles.show(found)
    shown = capsys.readouterr().out
    assert summary["bytes_exact"]
    assert summary["median_error"] < 0.01, shown
    assert summary["worst_error"] < 0.03, shown
    assert shown.count("exact") == 12


def test_a_wrong_model_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {"error": error, "beats": [4, 5], "beats_modelled": [4, beats]}
        for error, beats in ((0.004, 5), (-0.05, 6), (0.01, 5))
    ]
    assert cycles.summarise(rows) == {
        "combinations": 3, "median_error": 0.01, "worst_error": 0.05, "bytes_exact": False,
    }  # fmt: skip
    assert cycles.summarise(rows[:1])["bytes_exact"]
