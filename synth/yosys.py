"""Runs Yosys: the native library of the pyosys wheel, in a process of its own.

Against the WebAssembly build of the same version, reading and checking the tiny engine took 0.5 s
instead of 63 s the first time (it compiles itself once) and needs nothing else installed.
"""

import subprocess
import sys
from collections.abc import Sequence

_PROGRAM = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for line in sys.stdin.read().splitlines():
    libyosys.run_pass(line, design)
"""


class YosysError(RuntimeError):
    """A pass failed; the message is Yosys' own."""


def run(script: Sequence[str]) -> str:
    """Run one pass a line on one design; returns what Yosys logged.

    Raises:
        YosysError: a pass failed.
    """
    result = subprocess.run(
        [sys.executable, "-c", _PROGRAM], input="\n".join(script), capture_output=True, text=True
    )
    if result.returncode:
        said = [line for line in result.stdout.splitlines() if line.startswith("ERROR:")]
        raise YosysError("\n".join(said) or result.stderr or result.stdout)
    return result.stdout
