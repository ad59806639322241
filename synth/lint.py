"""Lints the Verilog of every preset with Verilator, Yosys and Icarus: ``python -m synth.lint``."""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from hw.config import PRESETS, EngineConfig
from hw.emit.toolchain import verilator_environment
from hw.emit.verilog import to_verilog
from hw.engine import DatmEngine
from synth import yosys

ACCEPTED = {
    "UNUSEDSIGNAL": "a field of a structure or a carry that has a wire, some bits of which nobody"
    " reads",
    "DECLFILENAME": "a file holds an engine with all its modules, and is named after the top one",
    "CMPCONST": "of the comparisons that a generator unrolls over lanes, that of the last lane is"
    " always true",
}
"""What Verilator's ``-Wall`` may say, and why it is no fault. Nothing is waived: it is counted."""

_WARNING = re.compile(r"^%(?:Warning|Error)-(\w+)", re.MULTILINE)
_DIALECTS = ("2005", "2012")


def lint(config: EngineConfig, name: str) -> tuple[dict[str, int], str]:
    """How often ``verilator --lint-only -Wall`` gives each warning on an engine, and complaints.

    Complaints, "" if there are none: what it says beside `ACCEPTED`; combinational loops, and nets
    with no driver or several, which Yosys' ``check`` finds bit by bit; and what Icarus refuses as
    Verilog-2005 or SystemVerilog-2012, where it is installed.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / f"{name}.v"
        source.write_text(to_verilog(DatmEngine(config), name))
        said = _verilator(source, name)
        counts = Counter(_WARNING.findall(said))
        refused = said if "%Error:" in said.replace("%Error: Exiting due to", "") else ""
        foreign = "".join(
            block for block in re.split(r"^(?=%)", said, flags=re.MULTILINE)
            if (found := _WARNING.match(block)) and found[1] not in ACCEPTED
        )  # fmt: skip
        return dict(counts), refused + foreign + yosys_check(source, name) + icarus(source)


def _verilator(source: Path, name: str) -> str:
    """All that Verilator says: it counts every warning, and ends with an error for them."""
    flags = ("--lint-only", "-Wall", "--error-limit", "0", "--top-module", name)
    result = subprocess.run(
        ["verilator", *flags, str(source)],
        env=verilator_environment(), capture_output=True, text=True,
    )  # fmt: skip
    return result.stdout + result.stderr


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


def icarus(source: Path) -> str:
    """What Icarus, where it is installed, says against a file in either dialect; "" if nothing."""
    if shutil.which("iverilog") is None:
        return ""
    said = ""
    for dialect in _DIALECTS:
        command = ["iverilog", f"-g{dialect}", "-Wall", "-t", "null", str(source)]
        result = subprocess.run(command, capture_output=True, text=True)
        said += result.stdout + result.stderr
    return said


def tools() -> dict[str, str | None]:
    """The version of each tool; None of Icarus where it is not installed."""
    found = None
    if shutil.which("iverilog"):
        said = subprocess.run(["iverilog", "-V"], capture_output=True, text=True).stdout
        numbers = re.search(r"version (\S+)", said)
        found = numbers[1] if numbers else "unknown"
    return {"verilator": version("verilator"), "pyosys": yosys.VERSION, "icarus": found}


def main(arguments: list[str] | None = None) -> int:
    """Lint each preset with each of its scale groups; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m synth.lint", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the counts of warnings")
    asked = parser.parse_args(arguments)
    failed, found = 0, []
    for preset, config in PRESETS.items():
        for scale_group in (1, config.channel_lanes):
            counts, said = lint(replace(config, scale_group=scale_group), f"orbis_{preset}")
            listed = ", ".join(f"{count} {rule}" for rule, count in sorted(counts.items()))
            print(f"{preset}, G = {scale_group}: {said or 'clean'} ({listed})", flush=True)
            found.append({"preset": preset, "scale_group": scale_group, "warnings": counts})
            failed += bool(said)
    if asked.json:
        counted = {"tools": tools(), "accepted": ACCEPTED, "engines": found}
        asked.json.write_text(json.dumps(counted, indent=2) + "\n")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
