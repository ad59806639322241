"""The smallest of ``make gatesim``: a unit's own testbench on its netlist of library cells."""

import pytest

from hw.config import PRESETS
from hw.pair.least_two import LeastTwo
from tb.runner import BUILD, simulate


def test_least_two_passes_its_testbench_as_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATES", "1")
    config = PRESETS["tiny"]
    name = "least_two_tiny"
    simulate(LeastTwo(config), "tb.pair.test_least_two", name, given=config.as_dict())
    assert "NAND2_X1 " in (BUILD / f"{name}-gates" / f"{name}.v").read_text()
