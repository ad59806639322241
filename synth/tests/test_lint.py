from dataclasses import replace
from pathlib import Path

import pytest

from hw.config import PRESETS
from synth.lint import lint, yosys_check

VECTOR_LOOP = "module top(input a, output [1:0] y); assign y = {y[0], a}; endmodule\n"
BIT_LOOP = "module top(input a, output [1:0] y); assign y = {y[0], y[1] ^ a}; endmodule\n"
TWO_DRIVERS = "module top(input a, input b, output y); assign y = a; assign y = ~b; endmodule\n"


@pytest.mark.parametrize("scale_group", [1, 4])
def test_the_engine_lints_clean(scale_group: int) -> None:
    assert lint(replace(PRESETS["tiny"], scale_group=scale_group), "orbis_tiny") == ""


def test_loops_are_found_bit_by_bit(tmp_path: Path) -> None:
    source = tmp_path / "top.v"
    for text, clean in ((VECTOR_LOOP, True), (BIT_LOOP, False), (TWO_DRIVERS, False)):
        source.write_text(text)
        assert (yosys_check(source, "top") == "") == clean
