"""Sizes of a DXE: what is refused, and that the presets are what they say."""

from dataclasses import replace
from typing import Any

import pytest

from hw.dxe.config import DXE_PRESETS
from tests.tree import ROOT

TINY = DXE_PRESETS["tiny"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"token_format": "fp32"}, "token_format is 'fp32'"),
        ({"columns": 6}, "columns is 6, but must be a power of two"),
        ({"sum_groups": 1}, "sum_groups is 1, but must be a power of two, from 2"),
        ({"group_rows": 2}, "group_rows is 2, but must be 4 or more"),
        ({"rows": 0}, "rows is 0, but must be 1 or more"),
        ({"rows": 2}, "columns is 4 and the array's shorter side 2, but together they must be 7"),
        ({"weight_rows": 3}, "weight_rows is 3, but must be 4 or more"),
        ({"activation_rows": 1}, "activation_rows is 1, but must be 2 or more"),
        ({"registers": 0}, "registers is 0, but must be 1 or more"),
    ],
)
def test_what_no_array_can_be(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(TINY, **change)


def test_the_paper_preset_fits_the_papers_memory() -> None:
    paper = DXE_PRESETS["paper"]
    assert (paper.rows, paper.columns) == (64, 64)
    assert paper.memory_bytes == 2 * 64 * (256 + 1536) + 4 * 64 * 4 * 512 + 2 * 4 * 8 * 512
    assert paper.memory_bytes <= 1 << 20
    page = (ROOT / "docs" / "dxe.md").read_text()
    assert f"holds {paper.memory_bytes // 1024} KiB: {paper.weight_rows} rows of weights" in page
