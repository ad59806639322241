"""Compiles Verilog and the C++ harness into one shared library."""

import hashlib
import subprocess
from importlib.metadata import version
from pathlib import Path

from hw.emit.toolchain import how_it_ended
from software.library.errors import SetupError
from software.library.simulator.steps import run_steps

_FOLDER = Path(__file__).parent
_SOURCES = ("harness.cpp", "axi_memory.hpp", "protocol.hpp", "state.hpp")
_VERILATOR = ("--cc", "-O3", "--savable", "--x-assign", "fast", "--x-initial", "fast",
              "--no-assert", "--output-split", "20000", "--prefix", "Engine", "-Wno-fatal",
              "-Wno-lint", "-Wno-style")  # fmt: skip
_COMPILER = ("-std=c++17", "-pipe", "-fPIC", "-fvisibility=hidden", "-fno-gnu-unique", "-w",
             "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TIMING=0", "-DVM_TRACE_FST=0",
             "-DVM_TRACE_SAIF=0")  # fmt: skip
_FAST, _SLOW = "-O3", "-O0"
"""What runs every cycle, and what runs once: constructors and initial values."""


def digest(verilog: str, top: str, waves: bool, environment: dict[str, str]) -> str:
    """A name for all that a library depends on: Verilog, harness, compilers and their flags.

    Raises:
        SetupError: ``g++ --version`` failed.
    """
    parts = [verilog, top, str(waves), version("verilator"), _compiler(environment),
             repr((_VERILATOR, _COMPILER, _FAST, _SLOW))]  # fmt: skip
    parts += [(_FOLDER / name).read_text() for name in _SOURCES]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _compiler(environment: dict[str, str]) -> str:
    """What g++ says of itself."""
    asked = ["g++", "--version"]
    try:
        found = subprocess.run(
            asked, env=environment, capture_output=True, encoding="utf-8", errors="replace"
        )
    except OSError as error:
        raise SetupError(f"`g++ --version` cannot be run: {error.strerror}.") from error
    if found.returncode:
        said = " ".join((found.stderr or found.stdout).split()).rstrip(".") or "it said nothing"
        raise SetupError(f"`g++ --version` {how_it_ended(found.returncode)}: {said}.")
    return found.stdout


def compile_library(
    verilog: str, top: str, waves: bool, work: Path, log: Path, environment: dict[str, str]
) -> bytes:
    """The shared library, as `software.library.simulator.build.build_library` says.

    Args:
        verilog: the design.
        top: its top module.
        waves: whether runs write waveforms.
        work: an empty folder, for all files on the way.
        log: file for what a step said that failed.
        environment: of hw.emit.toolchain.

    Raises:
        SetupError: a step failed.
        OSError: a file cannot be written.
    """
    source = work / "engine.v"
    source.write_text(verilog)
    trace = ["--trace-vcd"] if waves else []
    model, built = work / "model", work / "engine.so"
    verilate = ["verilator", *_VERILATOR, *trace, "--top-module", top, "-Mdir", model, source]
    run_steps([verilate], work, log, environment)
    runtime = Path(environment["VERILATOR_ROOT"]) / "include"
    flags = [*_COMPILER, f"-DVM_TRACE={int(waves)}", f"-DVM_TRACE_VCD={int(waves)}",
             f"-I{model}", f"-I{_FOLDER}", f"-I{runtime}", f"-I{runtime / 'vltstd'}"]  # fmt: skip
    names = ["verilated.cpp", "verilated_threads.cpp", "verilated_save.cpp",
             *(["verilated_vcd_c.cpp"] if waves else [])]  # fmt: skip
    # Large files first, so that no core is left with one at the end.
    files = sorted(model.glob("*.cpp"), key=lambda file: -file.stat().st_size)
    files = [_FOLDER / "harness.cpp", *files, *(runtime / name for name in names)]
    objects = {file: work / f"{file.stem}.o" for file in files}
    compiles = [
        ["g++", "-c", _SLOW if "Slow" in file.stem or file.parent == runtime else _FAST, *flags,
         file, "-o", target]
        for file, target in objects.items()
    ]  # fmt: skip
    run_steps(compiles, work, log, environment)
    link = ["g++", "-shared", *objects.values(), "-pthread", "-o", built]
    run_steps([link], work, log, environment)
    return built.read_bytes()
