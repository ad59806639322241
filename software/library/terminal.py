"""The console that progress is shown on: stderr, and only where that is a terminal.

One for all, so that a bar and what is shown meanwhile do not write over each other.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

console = Console(stderr=True)


@contextmanager
def progress_bar(title: str, total: int | None) -> Iterator[Any]:
    """Yield ``advance(what, done=None, total=None)`` of a progress bar; silent off a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=total)

        def advance(what: str, done: int | None = None, total: int | None = None) -> None:
            if done is None:
                progress.update(task, advance=1, description=f"{title} ({what})")
            else:
                progress.update(task, completed=done, total=total, description=what)

        yield advance
