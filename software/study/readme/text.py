"""Reading the figures, and writing them as Markdown of 100 columns."""

import json
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any


def load(docs: Path, name: str) -> Any:
    """The content of a JSON file of the folder."""
    return json.loads((docs / f"{name}.json").read_text())


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def wrapped(text: str, indent: str = "") -> str:
    """Lines of 100 columns, all but the first indented."""
    return fill(text, 100, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def bullet(text: str) -> str:
    """An item of a list, wrapped."""
    return wrapped(f"* {text}", "  ")
