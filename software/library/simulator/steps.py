"""Runs the steps of a build, several at once, and lets none outlive the build."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

from hw.emit.toolchain import how_it_ended
from software.library.errors import SetupError

_POLL_SECONDS = 0.02
_HINTS = {
    r"No space left on device": " (the disk is full)",
    # What g++, and Verilator's script, say of a process of theirs that was killed.
    r"Killed signal|threw signal 9|out of memory|bad_alloc": " (memory most likely ran out)",
}


def run_steps(
    steps: Iterable[Iterable[object]], work: Path, log: Path, environment: dict[str, str]
) -> None:
    """Run commands, as many side by side as there are cores.

    However this ends, by an interrupt too, none of them or of their children runs on.

    Args:
        steps: the words of each; earlier ones start first.
        work: folder of their temporary files.
        log: file for what a command said that failed.
        environment: theirs.

    Raises:
        SetupError: one cannot be started, or failed.
    """
    waiting = [[str(word) for word in step] for step in reversed(list(steps))]
    running: list[_Running] = []
    with ExitStack() as files:
        try:
            while waiting or running:
                while waiting and len(running) < len(os.sched_getaffinity(0)):
                    # What a step says goes to memory: a full disk must not take that too.
                    said = files.enter_context(os.fdopen(os.memfd_create("said"), errors="replace"))
                    running.append(_Running(waiting.pop(), said, work, environment))
                time.sleep(_POLL_SECONDS)
                for step in [each for each in running if each.process.poll() is not None]:
                    running.remove(step)
                    if step.process.returncode:
                        raise SetupError(step.failure(log))
        finally:
            for step in running:
                step.end()


class _Running:
    """A command that runs, as the head of a process group: its children can be ended with it."""

    def __init__(
        self, words: list[str], said: IO[str], work: Path, environment: dict[str, str]
    ) -> None:
        self._words, self._said = words, said
        try:
            self.process = subprocess.Popen(
                words, env=environment | {"TMPDIR": str(work)}, stdin=subprocess.DEVNULL,
                stdout=said, stderr=subprocess.STDOUT, process_group=0,
            )  # fmt: skip
        except OSError as error:
            raise SetupError(f"{words[0]} cannot be run: {error.strerror}.") from error

    def end(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def failure(self, log: Path) -> str:
        """Why it failed, and where what it said is to be read."""
        self._said.seek(0)
        said = self._said.read()
        how = how_it_ended(self.process.returncode)
        if self.process.returncode > 0:
            hints = (hint for sign, hint in _HINTS.items() if re.search(sign, said))
            how = f"failed{next(hints, '')}"
        sentence = f"{self._words[0]} {how} while the simulator was built"
        try:
            log.write_text(f"{' '.join(self._words)}\n{said}")
        except OSError:
            log.unlink(missing_ok=True)
            return f"{sentence}."
        return f"{sentence}: see {log}."
