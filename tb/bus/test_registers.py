"""The register map and what is made from it: docs, JSON and the C header."""

import re
import subprocess
from pathlib import Path

import pytest

from hw.bus.registers import REGISTERS, as_json, c_header, markdown, offsets
from hw.config import PRESETS
from hw.job import Order

DOCS = Path(__file__).parents[2] / "docs" / "registers.md"
OFFSETS = offsets()


def test_map_is_sound() -> None:
    """No two words overlap, all are aligned, and the job registers are the members of `Order`."""
    values = list(OFFSETS.values())
    assert len(set(values)) == len(values)
    assert all(0 <= offset < 1 << 12 and offset % 4 == 0 for offset in values)
    assert all(register.offset % 8 == 0 for register in REGISTERS if register.words == 2)
    rw_fields = {f.name for r in REGISTERS for f in r.fields if f.access == "rw"}
    job = [r for r in REGISTERS if r.access == "rw" and not r.fields]
    names = {register.member for register in job} | rw_fields - {"interrupt_enable"}
    assert names == {name for name, _ in Order(PRESETS["tiny"])}


def test_docs_are_current() -> None:
    assert DOCS.read_text() == markdown(), "run: python -m hw.bus.registers > docs/registers.md"


def test_json_has_every_register() -> None:
    entries = {entry["name"]: entry for entry in as_json(PRESETS["demo"])}
    assert entries["TOKENS_ADDRESS"]["mask"] == 0xFF_FFFF_FFC0
    assert entries["STATUS"]["fields"][2]["name"] == "bad_job"
    assert [entry["offset"] for entry in entries.values()] == [r.offset for r in REGISTERS]


@pytest.mark.parametrize("language", ["c", "c++"])
def test_header_compiles(tmp_path: Path, language: str) -> None:
    """C and C++ take the header, twice, and every offset in it is that of the map."""
    header = tmp_path / "registers.h"
    header.write_text(c_header())
    keyword = "_Static_assert" if language == "c" else "static_assert"
    checks = [f'{keyword}(ORBIS_{name} == {at}, "{name}");' for name, at in OFFSETS.items()]
    checks.append(f'{keyword}(ORBIS_STATUS_NONFINITE == 8 && ORBIS_CONTROL_START == 1, "fields");')
    source = tmp_path / "check.c"
    source.write_text("\n".join(['#include "registers.h"'] * 2 + checks))
    command = ["g++", "-fsyntax-only", "-Wall", "-Werror", "-x", language, str(source)]
    subprocess.run(command, check=True)
    assert not re.search(r"[^\x00-\x7F]", c_header())
