"""The project's own rules: who may import whom, and that no unit is left without its test."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "golden": {"golden", "torch"},
    "hw": {"hw", "amaranth"},
    "synth": {"synth", "hw", "amaranth", "matplotlib", "pyosys"},
}
"""Packages beside the standard library that a folder may import, its own tests excepted."""
TESTED_WITHIN = {
    "axi.py": "signatures only",
    "client_mux.py": "test_datm.py",
    "config.py": "test_config.py",
    "job.py": "layouts only",
    "rtlil.py": "test_module_merge.py",
    "pipeline.py": "functions, tested by every unit that is made of them",
    "quantize_pass.py": "test_qe.py",
    "ports.py": "signatures only",
    "toolchain.py": "every testbench builds with it",
    "verilog.py": "software/tests/commands/test_verilog.py",
}


def imported(path: Path) -> set[str]:
    """Top-level packages that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names)


@pytest.mark.parametrize("folder", ALLOWED)
def test_folder_imports_only_what_it_may(folder: str) -> None:
    for path in sorted((ROOT / folder).glob("*.py")):
        foreign = imported(path) - ALLOWED[folder]
        assert not foreign, f"{path.relative_to(ROOT)} imports {sorted(foreign)}"


def test_software_imports_hw_only_where_the_engine_is_needed() -> None:
    for path in sorted((ROOT / "software").rglob("*.py")):
        relative = path.relative_to(ROOT / "software")
        # The bench races the engine's simulators; the commands emit its Verilog and list presets.
        if relative.parts[0] not in ("backends", "simulator", "tests", "commands", "bench"):
            assert "hw" not in imported(path), f"{path.relative_to(ROOT)} imports hw"


def test_every_unit_has_a_testbench_of_its_name() -> None:
    units = (
        {path.name for path in (ROOT / "hw").glob("*.py")} - {"__init__.py"} - set(TESTED_WITHIN)
    )
    untested = {name for name in units if not (ROOT / "tb" / f"test_{name}").exists()}
    assert not untested, f"no testbench for {sorted(untested)}"
