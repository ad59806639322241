"""How templates write a figure, a sentence and a table's cells."""

import json
from collections.abc import Iterable
from pathlib import Path
from textwrap import fill
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_FILES = ("area", "area_paper", "area_paper_library", "bench", "coverage", "cycles_validation",
          "evaluation", "exploration", "fullsize", "layer", "lec", "libraries",
          "lint", "match_compact", "match_quad", "mutants", "video")  # fmt: skip
_BOARDS = ("fpga_tiny", "fpga_ulx3s")
"""Reports of `orbis fpga`, in the order of the presets' sizes."""
_LAYERS = [f"cycles_{model}_{arrangement}" for model in ("cogvideox-5b", "hunyuanvideo")
           for arrangement in ("own", "shared")]  # fmt: skip
"""What `orbis cycles` has of each model and arrangement."""


def load(docs: Path) -> dict[str, Any]:
    """What the JSON files of the folder hold, by their names."""
    files = {
        name: json.loads((docs / f"{name}.json").read_text())
        for name in (*_FILES, *_BOARDS, *_LAYERS)
    }
    lists = {"boards": _BOARDS, "layers": _LAYERS}
    return files | {key: [files[name] for name in names] for key, names in lists.items()}


def wrapped(text: str) -> str:
    """One paragraph, or item of a list, in lines of 100 columns."""
    indent = "  " if text.lstrip().startswith("* ") else ""
    lines = fill(
        " ".join(text.split()), 100,
        subsequent_indent=indent, break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return f"{lines}\n"


def cells(values: Iterable[object]) -> str:
    """The cells of a table's row, or of its part."""
    return " | ".join(map(str, values))


def bounded(figure: dict[str, Any]) -> str:
    """A quotient, and on which side of it the truth lies where it is a bound."""
    return "?" if figure["value"] is None else f"{figure['bound']} {figure['value']:.2f}".lstrip()


def environment() -> Environment:
    """Templates of this folder; a figure that the files lack is an error."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"as": format, "wrapped": wrapped, "cells": cells, "bounded": bounded}
    return made
