"""Lints the Verilog of every preset with Verilator: ``python -m hw.lint``."""

import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from hw.config import PRESETS, EngineConfig
from hw.engine import DatmEngine
from hw.toolchain import verilator_environment
from hw.verilog import to_verilog

WAIVERS = Path(__file__).with_name("lint.vlt")


def lint(config: EngineConfig, name: str) -> str:
    """What ``verilator --lint-only -Wall`` says of an engine, but for `WAIVERS`; "" if nothing."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / f"{name}.v"
        source.write_text(to_verilog(DatmEngine(config), name))
        result = subprocess.run(
            ["verilator", "--lint-only", "-Wall", "--top-module", name, WAIVERS, source],
            env=verilator_environment(), capture_output=True, text=True,
        )  # fmt: skip
    said = result.stdout + result.stderr
    warned = "%Warning" in said or "%Error" in said
    return said if warned or result.returncode else ""


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
