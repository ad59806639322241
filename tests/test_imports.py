"""Who may import whom, and that no unit is left without its test."""

from pathlib import Path

import pytest

from tests.tree import ROOT, imported, modules, packages

ALLOWED = {
    "golden": {"golden", "torch"},
    "hw": {"hw", "amaranth"},
    "formal": {"formal", "hw", "synth", "amaranth"},
    "mutants": {"mutants", "amaranth", "pytest", "rich"},
    "synth": {"synth", "hw", "amaranth", "amaranth_boards", "matplotlib", "pyosys"},
    "system": {"system", "numpy"},
    "orbis": {"golden", "software"},
}
"""Packages beside the standard library that a folder may import, its own tests excepted."""
STAGES = ("quantize", "pair", "refine", "sort")
"""Rooms of hw that hold a stage each; what they exchange is in hw/words.py."""
ROOMS = {"blocks": {"blocks"}, "bus": {"bus", "blocks"}, "emit": {"emit", "bus"}} | {
    name: {name, "blocks", "bus"} for name in (*STAGES, "fpga", "dxe")
}
"""Rooms of hw that each room may import, beside what lies above all of them."""
ABOVE = ("hw.datm", "hw.engine", "hw.sequencer")
"""Modules of hw that join the stages; no room imports them, and beside them only rooms stages."""
AROUND = ("hw/fpga/board_top.py",)
"""Of the rooms, what has a whole engine within it."""
SOFTWARE = {
    "library": {"library"},
    "demo": {"demo", "library"},
    "study": {"study", "demo", "library"},
    "commands": {"commands", "study", "demo", "library"},
}
"""Rooms of software that each room may import."""
NEEDS_THE_ENGINE = {
    "library": ("library/backends/", "library/simulator/"),
    "study": ("study/bench/", "study/exploration/", "study/fullsize.py"),
    "commands": ("commands/",),
    "demo": (),
}
"""Where each room of software imports hw: the engine's backend and simulator, the race of the
engine's simulators, its run of full size, the engines of an exploration, and the commands that emit
its Verilog and list its presets."""
USES_SYNTH = (
    "synth/", "software/commands/area.py", "software/commands/explore.py",
    "software/commands/fpga.py", "software/commands/libraries.py", "software/study/exploration/",
    "software/study/figures/", "tb/runner.py",
)  # fmt: skip
"""Who imports synth beside tests: what reports area, and testbenches that run on mapped cells."""
NOT_SHIPPED = ("software/study/bench/", "software/study/figures/")
"""The project's own tools in folders that ship."""
TESTED_WITHIN = {
    "blocks/handshake.py": "a signature only",
    "blocks/lookup.py": "a signature and its answer, tested by every unit that asks",
    "blocks/pipeline.py": "functions, tested by every unit that is made of them",
    "bus/axi.py": "signatures only",
    "bus/client.py": "signatures only",
    "bus/client_mux.py": "test_datm.py",
    "bus/register.py": "test_registers.py",
    "dxe/float_add.py": "dxe/test_mac.py",
    "dxe/float_combine.py": "dxe/test_vector_lane.py",
    "dxe/float_function.py": "dxe/test_vector_lane.py",
    "dxe/float_max.py": "dxe/test_vector_lane.py",
    "dxe/floats.py": "dxe/test_mac.py",
    "dxe/function_table.py": "dxe/test_vector_lane.py",
    "dxe/multiply.py": "dxe/test_vector_lane.py",
    "dxe/processing_element.py": "dxe/test_systolic_array.py",
    "dxe/product.py": "dxe/test_mac.py",
    "dxe/round.py": "dxe/test_vector_lane.py",
    "dxe/row_scalars.py": "dxe/test_vector_unit.py",
    "dxe/shift.py": "dxe/test_mac.py",
    "emit/description.py": "software/tests/commands/test_verilog.py",
    "emit/handover.py": "software/tests/commands/test_verilog.py",
    "emit/rtlil.py": "test_module_merge.py",
    "emit/sdc.py": "software/tests/commands/test_verilog.py",
    "emit/toolchain.py": "every testbench builds with it",
    "emit/verilog.py": "software/tests/commands/test_verilog.py",
    "emit/wrappers.py": "test_memories.py",
    "fpga/protocol.py": "numbers only",
    "job.py": "layouts only",
    "phases.py": "an enumeration only",
    "pair/skew.py": "test_src_rows.py and test_dst_rows.py",
    "quantize/lanes.py": "layouts and their sizes, tested by the units of qe",
    "quantize/scales.py": "signatures only",
    "regions.py": "emit/test_maps.py",
    "sort/chunk_sorter.py": "test_topk.py",
    "sort/record_source.py": "an enumeration only",
    "words.py": "layouts only",
}


def room(module: str) -> str:
    """The room of a module of hw or software, by its full name; the module itself above them."""
    return module.split(".")[1]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("folder", ALLOWED)
def test_a_folder_imports_only_what_it_may(folder: str) -> None:
    for path in modules(folder):
        if "tests" not in path.parts:
            foreign = packages(path) - ALLOWED[folder]
            assert not foreign, f"{relative(path)} imports {sorted(foreign)}"


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_of_hw_imports_only_what_it_may(name: str) -> None:
    """No stage imports another, and none what joins them."""
    for path in modules(f"hw/{name}"):
        ours = {module for module in imported(path) if module.startswith("hw.")}
        rooms = {room(module) for module in ours} & set(ROOMS)
        assert rooms <= ROOMS[name], f"{relative(path)} imports {sorted(rooms - ROOMS[name])}"
        if relative(path) not in AROUND:
            assert not ours & set(ABOVE), f"{relative(path)} imports {sorted(ours & set(ABOVE))}"


def test_what_lies_above_the_rooms_of_hw_imports_no_stage() -> None:
    for path in (ROOT / "hw").glob("*.py"):
        if f"hw.{path.stem}" not in ABOVE:
            rooms = {room(module) for module in imported(path) if module.startswith("hw.")}
            assert not rooms & set(STAGES), f"{relative(path)} imports {sorted(rooms)}"


def test_only_reports_and_netlist_tests_import_synth() -> None:
    for folder in ("orbis", "golden", "hw", "software", "synth", "system", "tb"):
        for path in modules(folder):
            is_test = "tests" in path.parts or path.name.startswith("test_")
            if not is_test and not relative(path).startswith(USES_SYNTH):
                assert "synth" not in packages(path), f"{relative(path)} imports synth"


@pytest.mark.parametrize("name", SOFTWARE)
def test_a_room_of_software_imports_only_what_it_may(name: str) -> None:
    for path in modules(f"software/{name}"):
        found = imported(path)
        rooms = {room(module) for module in found if module.startswith("software.")}
        assert rooms <= SOFTWARE[name], f"{relative(path)} imports {sorted(rooms)}"
        place = str(path.relative_to(ROOT / "software"))
        if not place.startswith(NEEDS_THE_ENGINE[name]):
            assert "hw" not in packages(path), f"{relative(path)} imports hw"


def test_every_unit_has_a_testbench_of_its_name_in_its_room() -> None:
    units = {str(path.relative_to(ROOT / "hw")) for path in modules("hw")}
    units = {unit for unit in units if not unit.endswith("__init__.py")} - set(TESTED_WITHIN)
    untested = {
        unit for unit in units
        if not (ROOT / "tb" / unit).with_name(f"test_{Path(unit).name}").exists()
    }  # fmt: skip
    assert not untested, f"no testbench for {sorted(untested)}"
    assert all((ROOT / "hw" / unit).exists() for unit in TESTED_WITHIN)


def test_nothing_that_ships_imports_what_does_not() -> None:
    """No test, and none of the project's own tools."""
    tools = tuple(folder.rstrip("/").replace("/", ".") for folder in NOT_SHIPPED)
    for folder in ("orbis", "golden", "hw", "synth", "system", "software"):
        for path in modules(folder):
            if "tests" in path.parts or relative(path).startswith(NOT_SHIPPED):
                continue
            foreign = {
                module for module in imported(path)
                if module.split(".")[0] in ("tb", "tests", "pytest")
                or ".tests" in module
                or module.startswith(tools)
            }  # fmt: skip
            assert not foreign, f"{relative(path)} imports {sorted(foreign)}"
