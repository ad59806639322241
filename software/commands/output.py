"""What commands print: JSON for machines, short tables for people."""

import json
from collections.abc import Iterable, Mapping, Sequence

import typer
from rich.console import Console
from rich.table import Table

_WIDE = 200
"""Columns that a table may take where it is not shown on a terminal."""


def print_json(content: object) -> None:
    """Print ``content`` as JSON on stdout."""
    typer.echo(json.dumps(content, indent=2))


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
