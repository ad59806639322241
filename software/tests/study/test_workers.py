"""Measuring in worker processes that are killed, or interrupted: it ends at once, in a sentence."""

import os
import signal
import time
from dataclasses import dataclass
from typing import NoReturn

import pytest

from software.demo.diffusion import TimeGrid
from software.demo.geometry import SMALL
from software.library.errors import SetupError
from software.study.evaluation.experiment import QUICK
from software.study.evaluation.judges import Run
from software.study.evaluation.workers import measure_all

RUN = QUICK.runs[0]
LONG = 300.0


@dataclass(frozen=True)
class Sleep:
    """Measures its worker's process id, after some seconds."""

    seconds: float
    run: Run = RUN
    grid: TimeGrid = QUICK.grid

    def measure(self, model: object) -> int:
        time.sleep(self.seconds)
        return os.getpid()


@dataclass(frozen=True)
class Killed:
    """Dies as a process does when memory runs out."""

    run: Run = RUN
    grid: TimeGrid = QUICK.grid

    def measure(self, model: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_worker_is_told() -> None:
    with pytest.raises(SetupError, match=r"worker process was killed; .*: give fewer jobs than 1"):
        measure_all({SMALL: SMALL.weights}, [Killed()], 1, lambda what: None)


def test_an_interrupt_ends_the_workers() -> None:
    def interrupted(what: str) -> NoReturn:
        raise KeyboardInterrupt

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        measure_all({SMALL: SMALL.weights}, [Sleep(0), Sleep(LONG)], 1, interrupted)
    assert time.monotonic() - begun < LONG / 2
