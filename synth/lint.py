"""Lints the Verilog of every preset with Verilator and Yosys: ``python -m synth.lint``."""

import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from hw.config import PRESETS, EngineConfig
from hw.emit.toolchain import verilator_environment
from hw.emit.verilog import to_verilog
from hw.engine import DatmEngine
from synth import yosys

WAIVERS = Path(__file__).with_name("lint.vlt")


def lint(config: EngineConfig, name: str) -> str:
    """What Verilator and Yosys have to say of an engine; "" if nothing.

    ``verilator --lint-only -Wall`` says what `WAIVERS` do not cover, Yosys' ``check`` finds
    combinational loops, and nets with no driver or several, bit by bit.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / f"{name}.v"
        source.write_text(to_verilog(DatmEngine(config), name))
        return _verilator(source, name) + yosys_check(source, name)


def _verilator(source: Path, name: str) -> str:
    result = subprocess.run(
        ["verilator", "--lint-only", "-Wall", "--top-module", name, WAIVERS, source],
        env=verilator_environment(), capture_output=True, text=True,
    )  # fmt: skip
    said = result.stdout + result.stderr
    warned = "%Warning" in said or "%Error" in said
    return said if warned or result.returncode else ""


def yosys_check(source: Path, name: str) -> str:
    """What Yosys' ``check`` says against a Verilog file; "" if nothing."""
    try:
        yosys.run(
            [
                f"read_verilog {source.name}",
                f"hierarchy -top {name} -check",
                "proc",
                "check -assert",
            ],
            source.parent,
        )
    except yosys.YosysError as error:
        return str(error)
    return ""


def main() -> int:
    """Lint each preset with each of its scale groups; returns the exit code."""
    failed = 0
    for preset, config in PRESETS.items():
        for scale_group in (1, config.channel_lanes):
            said = lint(replace(config, scale_group=scale_group), f"orbis_{preset}")
            print(f"{preset}, G = {scale_group}: {said or 'clean'}", flush=True)
            failed += bool(said)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
