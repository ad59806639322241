"""What a terminal shows.

Results go to stdout, tables for people and JSON for machines; progress goes to stderr, and only
where that is a terminal. Text is shown as it is: nothing in it is markup.
"""

import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

console = Console(stderr=True)
"""One for all, so that a bar and what is shown meanwhile do not write over each other."""
_WIDEST = 2**31
"""Columns that a table may take where it is not shown on a terminal: all that it needs."""


@contextmanager
def progress_bar(title: str, total: int | None) -> Iterator[Any]:
    """Yield ``advance(what, done=None, total=None)`` of a progress bar; silent off a terminal."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=total)

        def advance(what: str, done: int | None = None, total: int | None = None) -> None:
            if done is None:
                progress.update(task, advance=1, description=f"{title} ({what})")
            else:
                progress.update(task, completed=done, total=total, description=what)

        yield advance


def printable(text: str) -> str:
    """``text`` in one line: what is no visible character, as in odd paths, is an escape."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def print_line(text: str) -> None:
    """Print ``text`` on stdout, as one line."""
    _write(printable(text))


def print_json(content: object) -> None:
    """Print ``content`` as JSON on stdout."""
    _write(json.dumps(content, indent=2))


def print_summary(facts: Mapping[str, object]) -> None:
    """Print facts, a line each, names aligned."""
    width = max(map(len, facts))
    for name, fact in facts.items():
        print_line(f"{name:<{width}}  {fact}")


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under a header; numbers lie to the right, and no name is cut off."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    body = [list(row) for row in rows]
    for column, title in enumerate(header):
        numeric = all(isinstance(row[column], int | float) for row in body)
        table.add_column(
            Text(printable(title)), justify="right" if numeric else "left", overflow="fold"
        )
    for row in body:
        cells = (f"{cell:,}" if isinstance(cell, int) else printable(str(cell)) for cell in row)
        table.add_row(*map(Text, cells))
    shown, terminal = io.StringIO(), sys.stdout.isatty()
    Console(
        file=shown, force_terminal=terminal, width=None if terminal else _WIDEST, highlight=False
    ).print(table)
    _write(shown.getvalue().removesuffix("\n"))


def _write(text: str) -> None:
    """Write ``text`` and a line's end to stdout, in its encoding.

    A reader that has gone away, as ``orbis ... | head`` does, is no fault of a command.

    Raises:
        OSError: stdout cannot be written to.
    """
    encoding = sys.stdout.encoding
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except OSError as error:
        # What is left in the buffer would fail again when Python flushes it at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise OSError(error.errno, error.strerror, "stdout") from error
