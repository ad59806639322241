"""Measuring in worker processes.

Small matrices gain little from a second thread, and lose much where another process wants the same
core; so each worker computes with one thread and takes the next task when it is done. A task's
result depends on the task alone, never on the worker or on how many there are.
"""

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import torch
from diffusers import CogVideoXTransformer3DModel

from software.demo.diffusion import TimeGrid
from software.demo.geometry import Geometry
from software.demo.model import load_model
from software.library.errors import SetupError
from software.study.evaluation.judges import Run

Found = dict["Task", Any]
"""What was measured, by task."""
Advance = Callable[[str], None]
"""``advance(what)``, called after each task, in the order of the tasks."""


class Task(Protocol):
    """Something to measure; frozen, so that it can be looked up, and sent to a process."""

    @property
    def run(self) -> Run:
        """The run that it belongs to."""

    @property
    def grid(self) -> TimeGrid:
        """Its steps. Tasks of one run and grid go together: a worker keeps its tokens."""

    def measure(self, model: CogVideoXTransformer3DModel) -> Any:
        """Measure; the result can be sent to a process too."""


Weights = dict[Geometry, Path]
"""Folder of each model that runs are of (software.demo.model.load_model)."""
_weights: Weights = {}
"""Of a worker process."""


def _start(weights: Weights) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers when interrupted
    torch.set_num_threads(1)
    _weights.update(weights)


@lru_cache(maxsize=1)
def _model(geometry: Geometry) -> CogVideoXTransformer3DModel:
    """A worker's model; runs come model by model."""
    return load_model(_weights[geometry])


def _measure(task: Task) -> Any:
    return task.measure(_model(task.run.prompt.geometry))


def measure_all(weights: Weights, tasks: Sequence[Task], jobs: int, advance: Advance) -> Found:
    """Measure every task.

    Args:
        weights: see there.
        tasks: what to measure, all different.
        jobs: worker processes, at least 1.
        advance: see there.

    An interrupt ends the workers at once, in the midst of a task.

    Raises:
        ValueError: fewer than one job.
        FileNotFoundError: no model in the folder.
        SetupError: a worker was killed.
    """
    if jobs < 1:
        raise ValueError(f"jobs is {jobs}; it must be at least 1.")
    for geometry in dict.fromkeys(task.run.prompt.geometry for task in tasks):
        load_model(weights[geometry])  # a worker that cannot could only break the pool
    runs = list(dict.fromkeys((task.run, task.grid) for task in tasks))
    order = sorted(tasks, key=lambda task: runs.index((task.run, task.grid)))
    found: Found = {}
    spawn = multiprocessing.get_context("spawn")  # a fork would inherit torch's locked threads
    others = multiprocessing.active_children()
    pool = ProcessPoolExecutor(min(jobs, len(order)), spawn, _start, (weights,))
    try:
        for task, result in zip(order, pool.map(_measure, order), strict=True):
            found[task] = result
            advance(str(task.run))
    except BrokenProcessPool as error:
        raise SetupError(
            f"a worker process was killed; memory most likely ran out: give fewer jobs than {jobs}."
        ) from error
    except BaseException:
        for worker in multiprocessing.active_children():
            if worker not in others:
                worker.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    return found
