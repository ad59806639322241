"""One design in several cell libraries, unit by unit, as a table for people and for machines."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from synth.mapped import MappedDesign, short_path
from synth.report import caveats, node_of, summarise


@dataclass(frozen=True)
class UnitAreas:
    """A module: how often it stands in the design, and um2 of one of them in each library."""

    unit: str
    instances: int
    areas: tuple[float, ...]


def compare(designs: Sequence[MappedDesign]) -> list[UnitAreas]:
    """The units of one design that was mapped to several libraries, the largest first.

    An area is that of one instance with all that it contains.

    Raises:
        ValueError: no designs, or designs that do not hold the same modules.
    """
    if not designs:
        raise ValueError("0 designs are given; a comparison has at least 1.")
    modules = [set(design.modules) for design in designs]
    if any(names != modules[0] for names in modules):
        raise ValueError("the designs hold different modules; they must be one design.")
    first = designs[0]
    found = [
        UnitAreas(short_path(name), count, tuple(d.area_of(name) for d in designs))
        for name, count in first.instances.items()
    ]
    return sorted(found, key=lambda unit: -unit.areas[0] * unit.instances)


def largest_deviation(designs: Sequence[MappedDesign], units: Sequence[UnitAreas]) -> float | None:
    """How far any unit's area in the first library is from that in another of the same node.

    None if there is no other of that node. Units of wires alone have no area, and do not count.
    """
    deviations = [
        abs(unit.areas[0] / unit.areas[k] - 1)
        for k in _same_node(designs)
        for unit in units
        if unit.areas[k]
    ]
    return max(deviations, default=None)


def as_json(designs: Sequence[MappedDesign], units: Sequence[UnitAreas]) -> dict[str, Any]:
    """The comparison, JSON types."""
    libraries = []
    for design in designs:
        summary = summarise(design)
        libraries.append(
            {
                "name": summary.library,
                "nand2": summary.nand2,
                "node": summary.node,
                "area": summary.logic,
                "kge": summary.kge,
                "slowest_ps": summary.slowest,
            }
        )
    return {
        "compared": [designs[k].library.name for k in (0, *_same_node(designs))],
        "libraries": libraries,
        "units": [
            {
                "unit": unit.unit,
                "instances": unit.instances,
                "areas": list(unit.areas),
                "kge": [
                    d.library.gate_equivalents(area) / 1000
                    for d, area in zip(designs, unit.areas, strict=True)
                ],
            }
            for unit in units
        ],
        "largest_deviation": largest_deviation(designs, units),
        "caveats": caveats(designs[0]),
    }


def as_markdown(
    designs: Sequence[MappedDesign], units: Sequence[UnitAreas], title: str, made_by: str
) -> str:
    """The comparison as a page: the libraries, then the units of one of each."""
    same = _same_node(designs)
    names = [design.library.name for design in designs]
    lines = [f"# {title}", "", f"Made by `{made_by}`.", ""]
    lines += _row("library", "NAND2, um2", "all cells, um2", "kGE", "slowest module, ps")
    lines += _row("---", *["---:"] * 4)
    for design in designs:
        summary = summarise(design)
        lines += _row(
            summary.library, f"{summary.nand2:g}", f"{summary.logic:,.0f}", f"{summary.kge:,.1f}",
            f"{summary.slowest:,.0f}",
        )  # fmt: skip
    lines += ["", "One of each unit, with all that it contains: um2, and kGE in brackets.", ""]
    lines += _row("unit", "instances", *names, *(f"{names[0]} / {names[k]}" for k in same))
    lines += _row("---", *["---:"] * (1 + len(names) + len(same)))
    for unit in units:
        areas = [
            f"{area:,.0f} ({design.library.gate_equivalents(area) / 1000:,.2f})"
            for design, area in zip(designs, unit.areas, strict=True)
        ]
        ratios = [f"{unit.areas[0] / unit.areas[k]:.2f}" if unit.areas[k] else "" for k in same]
        lines += _row(unit.unit, str(unit.instances), *areas, *ratios)
    deviation = largest_deviation(designs, units)
    if deviation is not None:
        lines += [
            "",
            f"Largest deviation of a unit between libraries of one node: {deviation:.1%}.",
        ]
    lines += ["", *(f"* {caveat}" for caveat in caveats(designs[0]))]
    return "\n".join(lines) + "\n"


def _same_node(designs: Sequence[MappedDesign]) -> list[int]:
    """Which of the designs are in a library of the first one's node, without itself."""
    first, *others = (node_of(design.library) for design in designs)
    return [k for k, node in enumerate(others, start=1) if node is not None and node == first]


def _row(*cells: str) -> list[str]:
    return [f"| {' | '.join(cells)} |"]
