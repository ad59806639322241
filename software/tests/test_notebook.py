"""The example notebook runs, and says what it is shown to say."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "docs" / "match_tokens.ipynb"


def printed(notebook: Any) -> list[str]:
    """What each cell prints."""
    return [
        "".join(output.get("text", "") for output in cell.get("outputs", []))
        for cell in notebook.cells
    ]


def pictures(notebook: Any) -> int:
    return sum(
        "image/png" in output.get("data", {})
        for cell in notebook.cells for output in cell.get("outputs", [])
    )  # fmt: skip


def test_the_notebook_runs_and_finds_what_it_shows() -> None:
    shown = nbformat.read(NOTEBOOK, as_version=4)
    found = deepcopy(shown)
    place = {"metadata": {"path": str(NOTEBOOK.parent)}}
    NotebookClient(found, kernel_name="python3", resources=place, timeout=300).execute()
    assert printed(found) == printed(shown)
    assert pictures(found) == pictures(shown) == 2
    assert "pairing 6: L = 1,956,356" in "".join(printed(found))
