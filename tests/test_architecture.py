"""The page on the engine says of each preset what its config says."""

import re

from hw.config import PRESETS, EngineConfig
from hw.pair.dst_rows import ring_words
from tests.tree import ROOT

PAGE = ROOT / "docs" / "architecture.md"


def on_chip(config: EngineConfig) -> list[str]:
    """The table's column of a preset, from top to bottom."""
    rows = config.dst_lanes * ring_words(config) * config.chunk_bits // 8
    taken = config.dst_lanes * config.chunk_bits // 8 / config.src_groups
    return [
        f"{config.dst_lanes} x {config.src_lanes} x {config.channel_lanes}",
        f"{config.resident_src}",
        f"{config.scratch_banks} x {config.scratch_depth:,}",
        f"{rows:,}",
        f"{config.bus_bytes}",
        f"{taken:g}",
    ]


def test_the_table_of_presets_is_that_of_the_configs() -> None:
    (found,) = re.findall(r"^\| on chip \|.*\n(?:\|.*\n)+", PAGE.read_text(), re.MULTILINE)
    table = [[cell.strip() for cell in line.split("|")[2:-1]] for line in found.splitlines()]
    assert table[0] == list(PRESETS)
    columns = [list(column) for column in zip(*table[2:], strict=True)]
    assert columns == [on_chip(config) for config in PRESETS.values()]
