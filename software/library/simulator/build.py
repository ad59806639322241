"""The cache of compiled simulators: each is built once, whoever asks for it.

A library's name is a digest of all that it depends on. Builds happen in a folder of their own
beside it, so a killed build leaves nothing that looks complete and stands in nobody's way, and a
lock lets processes that want the same library wait for the first.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from hw.emit.toolchain import ToolError, verilator_environment
from software.library.errors import SetupError
from software.library.files import reason
from software.library.simulator.compile import compile_library, digest
from software.library.simulator.kept import keep, whole
from software.library.terminal import console

CACHE = "ORBIS_CACHE"
"""Environment variable: the folder of the cache."""


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
        # Who names a folder may have filled it, as in an image of a container.
        if given or os.access(folder, os.W_OK):
            return folder.resolve()
    raise SetupError(f"the cache folder {folders[0]} cannot be written to: set {CACHE}.")


def build_library(verilog: str, top: str, *, waves: bool = False, label: str = "engine") -> Path:
    """The shared library that simulates module ``top`` of ``verilog``, built if it must be.

    It is built, too, where the one that is there is not whole.

    Args:
        verilog: the design; its ports as `software.library.simulator.Simulator` expects them.
        top: its top module.
        waves: whether runs write waveforms, which makes them several times slower.
        label: what the progress line calls it.

    Raises:
        SetupError: Verilator, g++, make or perl is missing or does not run, a build failed, or
            the library cannot be kept.
    """
    try:
        # In English, whatever the user's language: errors are told apart by their words.
        environment = verilator_environment() | {"LC_ALL": "C"}
    except ToolError as error:
        raise SetupError(f"{error}.") from error
    folder = cache_folder()
    built = folder / f"{digest(verilog, top, waves, environment)}.so"
    if whole(built) is not None:
        return built
    try:
        with _locked(built.with_suffix(".lock")) as locked:
            if whole(built) is not None:
                return built
            if locked:
                _clear(folder, built.stem)
            log = built.with_suffix(".build.log")
            progress = f"Compiling the simulator of {label}, once; this can take a minute."
            with (
                console.status(progress),
                TemporaryDirectory(
                    ".partial", f"{built.stem}.", folder, ignore_cleanup_errors=True
                ) as work,
            ):
                keep(built, compile_library(verilog, top, waves, Path(work), log, environment))
            log.unlink(missing_ok=True)
    except OSError as error:
        raise SetupError(f"the simulator cannot be kept in {folder}: {reason(error)}.") from error
    return built


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Hold a lock; yields False where none is to be had, as on a file system that has no locks.

    Two processes may then build the same library, each in its own folder: the later one stays.
    """
    with ExitStack() as stack:
        try:
            fcntl.flock(stack.enter_context(path.open("a")), fcntl.LOCK_EX)
            locked = True
        except OSError:
            locked = False
        yield locked


def _clear(folder: Path, stem: str) -> None:
    """Remove what killed builds of a library left; its lock is held, so none of them is alive."""
    for abandoned in folder.glob(f"*{stem}.*.partial"):
        if abandoned.is_dir():
            shutil.rmtree(abandoned, ignore_errors=True)
        else:
            abandoned.unlink(missing_ok=True)
