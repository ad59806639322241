"""The page for integrators says of each preset, and of the files, what the code says."""

import re

from hw.bus.axi import CACHE, PROT
from hw.config import PRESETS
from hw.emit.description import memory_bus
from hw.emit.handover import fixed_files
from hw.emit.memories import FLIP_FLOP_WORDS
from hw.emit.sdc import IO_SHARE
from tests.tree import ROOT

PAGE = (ROOT / "docs" / "integration.md").read_text()
ROWS = (
    "data_bits", "address_bits", "longest_read_beats", "longest_write_beats", "outstanding_reads",
    "outstanding_writes",
)  # fmt: skip


def table(head: str) -> list[list[str]]:
    """The cells of the table whose first row begins so, the rule left out."""
    (found,) = re.findall(rf"^\| {head}\|.*\n(?:\|.*\n)+", PAGE, re.MULTILINE)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in found.splitlines()]
    return [rows[0], *rows[2:]]


def test_the_bus_is_that_of_the_configs() -> None:
    head, *rows = table("")
    assert head == ["", *PRESETS]
    buses = [memory_bus(config) for config in PRESETS.values()]
    assert [row[1:] for row in rows] == [[str(bus[key]) for bus in buses] for key in ROWS]


def test_every_file_is_listed() -> None:
    listed = {name.strip("`") for row in table("file ")[1:] for name in row[0].split(", ")}
    assert listed == {*fixed_files("NAME"), "NAME_sram_*.v", "NAME_regfile_*.v"}


def test_constants_are_those_of_the_code() -> None:
    text = " ".join(PAGE.split())
    assert f"AxCACHE is 0b{CACHE:04b}," in text
    assert f"AxPROT is 0b{PROT:03b}," in text
    assert f"More than {FLIP_FLOP_WORDS} words are to be SRAM macros" in text
    assert f"{IO_SHARE:.0%} of it each" in text
