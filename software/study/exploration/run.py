"""Measuring task by task on a Dask cluster; what was measured stays, so that a run goes on."""

import logging
import os
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Any

from software.library.errors import SetupError
from software.library.files import write_json
from software.study.exploration.tasks import Area, Counts, Task, key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed import Client

_PATIENCE = "10s"
"""For a scheduler to answer."""


@contextmanager
def cluster(scheduler: str | None, jobs: int | None) -> "Iterator[Client]":
    """A client of the scheduler at an address, or of worker processes here, one a core by default.

    Raises:
        ValueError: fewer than one job.
        SetupError: no scheduler answers there.
    """
    from distributed import Client, LocalCluster

    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs is {jobs}; it must be at least 1.")
    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=_PATIENCE, set_as_default=False)
        except (OSError, ValueError) as error:
            raise SetupError(f"no scheduler answers at {scheduler!r}.") from error
        with client:
            yield client
        return
    workers = jobs or len(os.sched_getaffinity(0))
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as local,
        Client(local, set_as_default=False) as client,
    ):  # fmt: skip
        yield client


def measure_all(
    client: "Client", tasks: Sequence[Task], folder: Path, advance: Callable[[str], None]
) -> dict[Task, dict[str, Any]]:
    """Measure what the folder does not hold yet.

    Args:
        client: of the workers; elsewhere they need the same version of the project.
        tasks: what to measure.
        folder: gets a file for each as it ends.
        advance: called with a task's kind, after each.

    Raises:
        SetupError: a worker was killed.
    """
    from distributed import as_completed
    from distributed.scheduler import KilledWorker

    found = {}
    files = {task: folder / f"{key(task)}.json" for task in tasks}
    for task, file in files.items():
        if file.exists():
            found[task] = loads(file.read_text())
            advance(_kind(task))
    waiting = sorted((task for task in files if task not in found), key=_length, reverse=True)
    running = {client.submit(_measure, task, pure=False): task for task in waiting}
    try:
        for future in as_completed(running, loop=client.loop):
            task = running[future]
            found[task] = future.result()
            write_json(files[task], found[task])
            advance(_kind(task))
    except KilledWorker as error:
        raise SetupError(
            "a worker process was killed; memory most likely ran out: give fewer --jobs."
        ) from error
    finally:
        client.cancel(list(running))
    return found


def _measure(task: Task) -> dict[str, Any]:
    return task.measure()


def _kind(task: Task) -> str:
    return type(task).__name__.lower()


def _length(task: Task) -> int:
    """The longest begin first, so that no core is left with one at the end."""
    return 2 if isinstance(task, Counts) else 1 if isinstance(task, Area) else 0
