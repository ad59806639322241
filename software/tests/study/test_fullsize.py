"""A layer on an engine, golden model and cycle model beside it: a small one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from golden import datm
from golden.datm import Match
from hw.config import PRESETS
from software.demo.video_tokens import TokenGrid
from software.library.backends import checkpoint, rtl
from software.library.simulator import Simulator
from software.study import fullsize

ENGINE = replace(PRESETS["tiny"], max_channels=3072)
GRID = TokenGrid(2, 4, 5)


def test_a_layer_of_few_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtl, "_SLICE", 5_000)
    monkeypatch.setattr(checkpoint, "_EVERY", 20_000)
    kept: list[int] = []
    save = Simulator.save

    def watched(simulator: Simulator, path: Path) -> None:
        kept.append(simulator.cycles)
        save(simulator, path)

    monkeypatch.setattr(Simulator, "save", watched)
    found = fullsize.measure(ENGINE, GRID, tmp_path)
    assert kept
    sizes = {name: found[name] for name in ("tokens", "channels", "num_dst", "reduce")}
    assert sizes == {"tokens": 40, "channels": 3072, "num_dst": 10, "reduce": 15}
    assert found["beats"] == found["beats_modelled"]
    assert abs(found["error"]) < 0.05
    # The cycle of done belongs to no stage.
    assert sum(stage["cycles"] for stage in found["stages"].values()) == found["cycles"] - 1
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("name", ["src", "medoids", "loss_history"])
def test_another_match_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def other(*args: object) -> Match:
        match = datm.match(*args)  # type: ignore[arg-type]
        value = getattr(match, name)
        changed: Any = value.flip(0) if isinstance(value, torch.Tensor) else (*value, 0)
        return replace(match, **{name: changed})

    monkeypatch.setattr(fullsize, "match", other)
    with pytest.raises(AssertionError, match="is not the golden model's"):
        fullsize.measure(ENGINE, GRID)
