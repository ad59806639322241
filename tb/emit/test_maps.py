"""The maps for people and programs: pages, JSON and the C header say what the tables do."""

import ast
import math
import re
import subprocess
from pathlib import Path

import pytest

import hw.config
from hw.bus.registers import REGISTERS, offsets
from hw.config import PRESETS, EngineConfig
from hw.emit.maps import c_header, regions_json, regions_page, registers_json, registers_page
from hw.regions import REGIONS, JobSizes, size_meanings

DOCS = Path(__file__).parents[2] / "docs"


def test_pages_are_current() -> None:
    for name, page in (("registers", registers_page()), ("regions", regions_page())):
        path = DOCS / f"{name}.md"
        assert path.read_text() == page, f"run: python -m hw.emit.maps {name} > docs/{name}.md"


def test_json_has_every_register() -> None:
    entries = {entry["name"]: entry for entry in registers_json(PRESETS["demo"])}
    assert entries["TOKENS_ADDRESS"]["mask"] == 0xFF_FFFF_FFC0
    assert entries["STATUS"]["fields"][2]["name"] == "bad_job"
    assert [entry["offset"] for entry in entries.values()] == [r.offset for r in REGISTERS]


@pytest.mark.parametrize("language", ["c", "c++"])
def test_header_compiles(tmp_path: Path, language: str) -> None:
    """C and C++ take the header, twice, and every offset in it is that of the map."""
    header = tmp_path / "registers.h"
    header.write_text(c_header())
    keyword = "_Static_assert" if language == "c" else "static_assert"
    checks = [f'{keyword}(ORBIS_{name} == {at}, "{name}");' for name, at in offsets().items()]
    checks.append(f'{keyword}(ORBIS_STATUS_NONFINITE == 8 && ORBIS_CONTROL_START == 1, "fields");')
    source = tmp_path / "check.c"
    source.write_text("\n".join(['#include "registers.h"'] * 2 + checks))
    command = ["g++", "-fsyntax-only", "-Wall", "-Werror", "-x", language, str(source)]
    subprocess.run(command, check=True)
    assert not re.search(r"[^\x00-\x7F]", c_header())


def evaluated(formula: str, job: JobSizes) -> float:
    """A formula of the sizes, the config's properties and constants, and ceil and max."""
    names = {node.id for node in ast.walk(ast.parse(formula)) if isinstance(node, ast.Name)}
    values: dict[str, object] = {"ceil": math.ceil, "max": max}
    for name in names - set(values):
        holder = next(each for each in (job, job.config, hw.config) if hasattr(each, name))
        values[name] = getattr(holder, name)
    return float(eval(formula, {"__builtins__": {}}, values))


@pytest.mark.parametrize("config", PRESETS.values(), ids=PRESETS)
def test_formulas_say_what_the_sizes_are(config: EngineConfig) -> None:
    """Those of each size in words, and those of the regions in the JSON beside the Verilog."""
    for tokens, channels, num_dst in ((2, 1, 1), (63, 29, 17), (64, 32, 32), (50, 5, 9)):
        job = JobSizes(config, tokens, channels, num_dst)
        meanings = regions_json()["sizes"]
        assert meanings == size_meanings()
        for name, meaning in meanings.items():
            for formula in re.findall(r"`([^`]+)`", meaning):
                assert evaluated(formula, job) == getattr(job, name), (name, formula)
        sized = {each["name"]: each["bytes"] for each in regions_json()["regions"]}
        for region in REGIONS:
            assert evaluated(sized[region.name], job) == region.bytes(job)


def test_the_packed_region_is_as_large_as_its_tiles() -> None:
    """By hand: 40 channels are 3 chunks of 16, two to a beat for 4 dst: 2 beats for each tile."""
    job = JobSizes(PRESETS["demo"], 512, 40, 128)
    packed = next(region for region in REGIONS if region.name == "PACKED")
    assert packed.bytes(job) == 32 * 2 * 64
