"""The smallest of ``make gatesim``: a unit's own testbench on its netlist of library cells."""

import pytest

from hw.config import PRESETS
from hw.pair.min_tree import MinTree
from tb.runner import BUILD, simulate


def test_the_min_tree_passes_its_testbench_as_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATES", "1")
    config = PRESETS["tiny"]
    simulate(MinTree(config), "tb.pair.test_min_tree", "min_tree_tiny", given=config.as_dict())
    assert "NAND2_X1 " in (BUILD / "min_tree_tiny-gates" / "min_tree_tiny.v").read_text()
