"""Compiles Verilog and the C++ harness into one shared library, once, into a cache.

The library's name is a digest of all that it depends on: the Verilog, the harness, the compilers
and their flags. Builds happen beside it and are renamed, so a killed build leaves nothing that
looks complete, and a lock lets processes that want the same library wait for the first.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from hw.emit.toolchain import verilator_environment
from software.library.errors import SetupError
from software.library.terminal import console

CACHE = "ORBIS_CACHE"
"""Environment variable: the folder of the cache."""

_FOLDER = Path(__file__).parent
_SOURCES = ("harness.cpp", "axi_memory.hpp", "protocol.hpp")
_VERILATOR = ("--cc", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert",
              "--output-split", "20000", "--prefix", "Engine", "-Wno-fatal", "-Wno-lint",
              "-Wno-style")  # fmt: skip
_COMPILER = ("-std=c++17", "-fPIC", "-fvisibility=hidden", "-fno-gnu-unique", "-w",
             "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TIMING=0", "-DVM_TRACE_FST=0",
             "-DVM_TRACE_SAIF=0")  # fmt: skip
_FAST, _SLOW = "-O3", "-O0"
"""What runs every cycle, and what runs once: constructors and initial values."""


def cache_folder() -> Path:
    """The folder of built libraries: $ORBIS_CACHE, ~/.cache/orbis, or build/cache here."""
    given = os.environ.get(CACHE)
    if given:
        folders = [Path(given)]
    else:
        folders = [Path("build/cache")]
        with suppress(RuntimeError):  # no HOME, and no user of this number, as in some containers
            home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
            folders.insert(0, home / "orbis")
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder.resolve()
    raise SetupError(f"the cache folder {folders[0]} cannot be written to: set {CACHE}.")


def build_library(verilog: str, top: str, *, waves: bool = False, label: str = "engine") -> Path:
    """The shared library that simulates module ``top`` of ``verilog``, built if it must be.

    Args:
        verilog: the design; its ports as `software.library.simulator.Simulator` expects them.
        top: its top module.
        waves: whether runs write waveforms, which makes them several times slower.
        label: what the progress line calls it.

    Raises:
        SetupError: Verilator, g++, make or perl is missing, or a build failed.
    """
    try:
        environment = verilator_environment()
    except RuntimeError as error:
        raise SetupError(f"{error}.") from error
    folder = cache_folder()
    built = folder / f"{_digest(verilog, top, waves)}.so"
    if built.exists():
        return built
    with built.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if built.exists():
            return built
        work = folder / f"{built.stem}.{os.getpid()}.partial"
        with console.status(f"Compiling the simulator of {label}, once; this can take a minute."):
            try:
                _build(verilog, top, waves, work, environment)
                (work / "engine.so").replace(built)
            finally:
                if built.exists():
                    shutil.rmtree(work, ignore_errors=True)
    return built


def _digest(verilog: str, top: str, waves: bool) -> str:
    compiler = subprocess.run(["g++", "--version"], capture_output=True, text=True, check=True)
    parts = [verilog, top, str(waves), version("verilator"), compiler.stdout,
             repr((_VERILATOR, _COMPILER, _FAST, _SLOW))]  # fmt: skip
    parts += [(_FOLDER / name).read_text() for name in _SOURCES]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _build(verilog: str, top: str, waves: bool, work: Path, environment: dict[str, str]) -> None:
    work.mkdir()
    source = work / "engine.v"
    source.write_text(verilog)
    trace = ["--trace-vcd"] if waves else []
    model = work / "model"
    _run(
        ["verilator", *_VERILATOR, *trace, "--top-module", top, "-Mdir", model, source],
        work, environment,
    )  # fmt: skip
    runtime = Path(environment["VERILATOR_ROOT"]) / "include"
    flags = [*_COMPILER, f"-DVM_TRACE={int(waves)}", f"-DVM_TRACE_VCD={int(waves)}",
             f"-I{model}", f"-I{_FOLDER}", f"-I{runtime}", f"-I{runtime / 'vltstd'}"]  # fmt: skip
    names = ["verilated.cpp", "verilated_threads.cpp", *(["verilated_vcd_c.cpp"] if waves else [])]
    # Large files first, so that no core is left with one at the end.
    files = sorted(model.glob("*.cpp"), key=lambda file: -file.stat().st_size)
    files = [_FOLDER / "harness.cpp", *files, *(runtime / name for name in names)]

    def compile_file(file: Path) -> Path:
        once = "Slow" in file.stem or file.parent == runtime
        target = work / f"{file.stem}.o"
        level = _SLOW if once else _FAST
        _run(["g++", "-c", level, *flags, file, "-o", target], work, environment)
        return target

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        objects = list(pool.map(compile_file, files))
    _run(["g++", "-shared", *objects, "-pthread", "-o", work / "engine.so"], work, environment)


def _run(command: Iterable[object], work: Path, environment: dict[str, str]) -> None:
    """Run a build step; its output goes to a log that a failure points to."""
    words = [str(word) for word in command]
    result = subprocess.run(words, env=environment, capture_output=True, text=True)
    if result.returncode:
        log = work / "build.log"
        log.write_text(f"{' '.join(words)}\n{result.stdout}{result.stderr}")
        raise SetupError(f"{words[0]} failed while the simulator was built: see {log}.")
