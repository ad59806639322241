import json
from dataclasses import replace
from pathlib import Path

import pytest

from hw.config import PRESETS
from synth.lint import ACCEPTED, icarus, lint, tools, yosys_check

DOCS = Path(__file__).parents[2] / "docs"
VECTOR_LOOP = "module top(input a, output [1:0] y); assign y = {y[0], a}; endmodule\n"
BIT_LOOP = "module top(input a, output [1:0] y); assign y = {y[0], y[1] ^ a}; endmodule\n"
TWO_DRIVERS = "module top(input a, input b, output y); assign y = a; assign y = ~b; endmodule\n"


@pytest.mark.parametrize("scale_group", [1, 4])
def test_the_engine_lints_clean(scale_group: int) -> None:
    """Nothing but what is accepted, as often as the docs say."""
    counts, said = lint(replace(PRESETS["tiny"], scale_group=scale_group), "orbis_tiny")
    assert said == ""
    assert set(counts) <= set(ACCEPTED)
    documented = json.loads((DOCS / "lint.json").read_text())
    entry = next(
        each for each in documented["engines"]
        if (each["preset"], each["scale_group"]) == ("tiny", scale_group)
    )  # fmt: skip
    assert entry["warnings"] == counts, "run: python -m synth.lint --json docs/lint.json"


_PORTS = "input [7:0] a, input [7:0] b, output"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (f"module top({_PORTS} [7:0] y); assign y = a + b[2:0]; endmodule", "WIDTHEXPAND"),
        (f"module top({_PORTS} [7:0] y); assign y = a[0] ? b : 9'd3; endmodule", "WIDTHTRUNC"),
        (f"module top({_PORTS} interrupt); assign interrupt = ^a ^ ^b; endmodule", "SYMRSVDWORD"),
        (f"module top({_PORTS} reg [7:0] y); always @* casez (a[1:0]) 2'b?1: y = a; 2'b1?: y = b;"
         " default: y = 0; endcase endmodule", "CASEOVERLAP"),
        (f"module top({_PORTS} [7:0] y); assign y = q; endmodule", "Error"),
    ],
)  # fmt: skip
def test_what_a_reader_would_trip_over_is_told(
    text: str, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synth.lint.to_verilog", lambda *_: f"{text}\n")
    _, said = lint(PRESETS["tiny"], "top")
    assert rule in said


def test_loops_are_found_bit_by_bit(tmp_path: Path) -> None:
    source = tmp_path / "top.v"
    for text, clean in ((VECTOR_LOOP, True), (BIT_LOOP, False), (TWO_DRIVERS, False)):
        source.write_text(text)
        assert (yosys_check(source, "top") == "") == clean


def test_icarus_is_asked_in_both_dialects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is installed; a stand-in tells what it was asked."""
    tool = tmp_path / "iverilog"
    tool.write_text('#!/bin/sh\necho "Icarus Verilog version 12.0 (stable): $@"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    said = icarus(tmp_path / "top.v")
    assert "-g2005" in said
    assert "-g2012" in said
    assert tools()["icarus"] == "12.0"
    monkeypatch.setenv("PATH", "/nowhere")
    assert icarus(tmp_path / "top.v") == ""
    assert tools()["icarus"] is None
