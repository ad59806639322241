"""Runs Yosys: the native library of the pyosys wheel, in a process of its own.

Against the WebAssembly build of the same version, reading and checking the tiny engine took 0.5 s
instead of 63 s the first time (it compiles itself once) and needs nothing else installed.
"""

import contextlib
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from hw.emit.toolchain import how_it_ended

VERSION = version("pyosys")
"""Of the wheel; it is also Yosys' own."""
_PROGRAM = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for line in sys.stdin.read().splitlines():
    libyosys.run_pass(line, design)
"""


class YosysError(RuntimeError):
    """A pass failed, or was ended; the message is Yosys' own."""


class Processes:
    """What runs now of one piece of work, by several threads; it is ended together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._ended = False

    @contextlib.contextmanager
    def holding(self, process: "subprocess.Popen[str]") -> Iterator[None]:
        """Count a process among them; one that comes after the end is ended at once."""
        with self._lock:
            self._running.add(process)
            if self._ended:
                process.kill()
        try:
            yield
        except BaseException:
            process.kill()
            raise
        finally:
            with self._lock:
                self._running.discard(process)

    def end(self) -> None:
        """End them, and those to come."""
        with self._lock:
            self._ended = True
            for process in self._running:
                process.kill()


def run(
    script: Sequence[str],
    folder: Path,
    hear: Callable[[str], None] | None = None,
    processes: Processes | None = None,
) -> None:
    """Run one pass a line on one design, in a process of its own.

    Args:
        script: the passes.
        folder: where they run.
        hear: gets each line that is logged.
        processes: those that the process is one of.

    Raises:
        YosysError: a pass failed.
    """
    errors = ""
    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(
            [sys.executable, "-u", "-c", _PROGRAM],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
        ) as process,
        (processes or Processes()).holding(process),
    ):
        assert process.stdin
        assert process.stdout
        with contextlib.suppress(BrokenPipeError):  # of a process that has ended: its code tells
            process.stdin.write("\n".join(script))
            process.stdin.close()
        for line in process.stdout:
            if line.startswith("ERROR:"):
                errors += line
            if hear:
                hear(line)
        if process.wait():
            complaints.seek(0)
            last = complaints.read().strip().rpartition("\n")[2]
            how = f"it {how_it_ended(process.returncode)}{last and f': {last}'}"
            raise YosysError(errors.strip() or how)


def run_abc(script: str, folder: Path, seconds: float | None = None) -> str:
    """What the ABC of the same wheel says as it runs a script.

    Raises:
        YosysError: it failed.
        TimeoutExpired: of subprocess, where it took longer than it may.
    """
    spec = find_spec("pyosys")
    assert spec
    assert spec.submodule_search_locations
    program = Path(spec.submodule_search_locations[0], "yosys-abc")
    ended = subprocess.run(
        [program, "-c", script], cwd=folder, capture_output=True, text=True, timeout=seconds
    )
    if ended.returncode:
        said = (ended.stdout + ended.stderr).strip()[-200:]
        raise YosysError(f"abc ended with code {ended.returncode}: {said}")
    return ended.stdout
