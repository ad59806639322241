"""One design in two libraries: the figures of each unit, and how far apart they are."""

from dataclasses import replace

import pytest

from hw.config import PRESETS
from hw.emit.verilog import modules_of
from hw.pair.dau import Dau
from synth.builtin import builtin_library
from synth.comparison import as_json, as_markdown, compare, largest_deviation
from synth.flow import TOP, map_design
from synth.liberty import Library
from synth.mapped import MappedDesign


def grown(library: Library, name: str, factor: float) -> Library:
    """The library with larger cells."""
    cells = {key: replace(cell, area=cell.area * factor) for key, cell in library.cells.items()}
    return replace(library, name=name, cells=cells)


@pytest.fixture(scope="module")
def designs() -> list[MappedDesign]:
    modules = modules_of(Dau(PRESETS["tiny"]), TOP)
    builtin = builtin_library()
    libraries = [builtin, grown(builtin, "nangate_like", 1.25), grown(builtin, "other", 3.0)]
    return [map_design(modules, library) for library in libraries]


def test_units_are_compared_one_by_one(designs: list[MappedDesign]) -> None:
    units = compare(designs)
    assert [(unit.unit, unit.instances) for unit in units] == [("top", 1), ("element_0_0", 4)]
    for unit in units:
        first, second, third = unit.areas
        assert second == pytest.approx(1.25 * first)
        assert third == pytest.approx(3 * first)
    assert units[0].areas[0] == pytest.approx(designs[0].area)
    assert units[1].areas[0] == pytest.approx(designs[0].area_of("top.element_0_0"))


def test_only_libraries_of_one_node_are_held_against_each_other(
    designs: list[MappedDesign],
) -> None:
    units = compare(designs)
    assert largest_deviation(designs, units) == pytest.approx(0.2)
    pair = [designs[0], designs[2]]
    assert largest_deviation(pair, compare(pair)) is None

    found = as_json(designs, units)
    assert found["largest_deviation"] == pytest.approx(0.2)
    assert [library["node"] for library in found["libraries"]] == [45, 45, None]
    # A gate equivalent grows with the cells.
    kge = found["units"][0]["kge"]
    assert kge == pytest.approx([kge[0]] * 3)

    page = as_markdown(designs, units, "Title", "command")
    assert page.startswith("# Title\n\nMade by `command`.\n")
    assert "| unit | instances | orbis_builtin_45nm | nangate_like | other |" in page
    row = next(line for line in page.splitlines() if line.startswith("| element_0_0"))
    assert row.endswith("| 0.80 |")
    assert "Largest deviation of a unit between libraries of one node: 20.0%." in page


def test_designs_of_other_modules_are_refused(designs: list[MappedDesign]) -> None:
    other = map_design(modules_of(Dau(PRESETS["tiny"]), TOP), builtin_library(),
                       top="top.element_0_0")  # fmt: skip
    with pytest.raises(ValueError, match="they must be one design"):
        compare([designs[0], other])
    with pytest.raises(ValueError, match="0 designs are given"):
        compare([])
