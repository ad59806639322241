"""What a terminal shows.

Results go to stdout, tables for people and JSON for machines; progress goes to stderr, and only
where that is a terminal.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

console = Console(stderr=True)
"""One for all, so that a bar and what is shown meanwhile do not write over each other."""
_WIDE = 200
"""Columns that a table may take where it is not shown on a terminal."""


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


def print_json(content: object) -> None:
    """Print ``content`` as JSON on stdout."""
    print(json.dumps(content, indent=2))


def print_summary(facts: Mapping[str, object]) -> None:
    """Print facts, a line each, names aligned."""
    table = Table.grid(padding=(0, 2))
    for name, fact in facts.items():
        table.add_row(name, str(fact))
    Console(highlight=False, soft_wrap=True).print(table)


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under a header; numbers lie to the right, and no name is cut off."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    body = [list(row) for row in rows]
    for column, title in enumerate(header):
        numeric = all(isinstance(row[column], int | float) for row in body)
        table.add_column(title, justify="right" if numeric else "left", overflow="fold")
    for row in body:
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row))
    terminal = Console(highlight=False)
    console = terminal if terminal.is_terminal else Console(highlight=False, width=_WIDE)
    console.print(table)
