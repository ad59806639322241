"""The maps for people and programs: pages, JSON and the C header say what the tables do."""

import ast
import json
import math
import re
import subprocess
from pathlib import Path

import pytest

from hw.bus.registers import ID, REGISTERS, VERSION, offsets
from hw.config import PRESETS, EngineConfig
from hw.emit.description import describe
from hw.emit.maps import c_header, regions_page, registers_json, registers_page
from hw.emit.verilog import Verilog
from hw.engine import DatmEngine
from hw.regions import REGIONS, JobSizes

DOCS = Path(__file__).parents[2] / "docs"


def test_pages_are_current() -> None:
    for name, page in (("registers", registers_page()), ("regions", regions_page())):
        path = DOCS / f"{name}.md"
        assert path.read_text() == page, f"run: python -m hw.emit.maps {name} > docs/{name}.md"


def test_json_has_every_register() -> None:
    demo = PRESETS["demo"]
    entries = {entry["name"]: entry for entry in registers_json(demo)}
    assert entries["TOKENS_ADDRESS"]["mask"] == 0xFF_FFFF_FFC0
    assert entries["STATUS"]["fields"][2]["name"] == "bad_job"
    assert [entry["offset"] for entry in entries.values()] == [r.offset for r in REGISTERS]
    fixed = {name: entry["fixed"] for name, entry in entries.items() if entry["fixed"] is not None}
    assert fixed == {"ID": ID, "VERSION": VERSION, "CONFIG_HASH": demo.hash}
    assert {name: entry["reset"] for name, entry in entries.items() if entry["reset"]} == fixed


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


def evaluated(formula: str, values: dict[str, float]) -> float:
    """A formula of numbers by their names, with ceil and max."""
    names = {node.id for node in ast.walk(ast.parse(formula)) if isinstance(node, ast.Name)}
    assert names <= {*values, "ceil", "max"}, formula
    functions = {"__builtins__": {}, "ceil": math.ceil, "max": max}
    return float(eval(formula, functions, dict(values)))


@pytest.mark.parametrize("config", PRESETS.values(), ids=PRESETS)
def test_the_json_alone_tells_the_bytes_of_every_region(config: EngineConfig) -> None:
    """By the formulas and numbers in its text, from N, D and M alone."""
    described = json.loads(
        json.dumps(describe(DatmEngine(config), config, "orbis", Verilog("", {}), 1.0))
    )
    for tokens, channels, num_dst in ((2, 1, 1), (63, 29, 17), (64, 32, 32), (50, 5, 9)):
        job = JobSizes(config, tokens, channels, num_dst)
        known = described["constants"] | {
            name: value for name, value in described["config"].items() if isinstance(value, int)
        }
        known |= {"tokens": tokens, "channels": channels, "num_dst": num_dst}
        for name, size in described["sizes"].items():
            if size["formula"]:
                known[name] = evaluated(size["formula"], known)
            assert known[name] == getattr(job, name), name
        found = {each["name"]: evaluated(each["bytes"], known) for each in described["regions"]}
        assert found == {region.name: region.bytes(job) for region in REGIONS}


def test_regions_are_as_large_as_their_words() -> None:
    """By hand, in beats of 64 bytes: 4 entries of 16 bytes, 8 words of 8, 128 levels of 4 bits."""
    job = JobSizes(PRESETS["demo"], 510, 200, 130)
    beats = {"QUANTIZED": 510 * 2, "ENTRIES": 128, "DST": 17, "MOVED": 17, "HISTORY": 4}
    found = {region.name: region.bytes(job) for region in REGIONS if region.name in beats}
    assert found == {name: 64 * count for name, count in beats.items()}
