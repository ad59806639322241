"""What a mapped design comes to: rows by module, sums, and figures scaled to other nodes."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from synth.flow import TOP, MappedDesign
from synth.liberty import Library
from synth.scaling import AREA, instance_share, scale_area

CAVEATS = (
    "Open synthesis takes 1.1 to 1.6 times a commercial tool's area; figures are not corrected.",
    "No wires, no clock tree, no scan: cells of the netlist alone, memories by a model.",
    "Delay: ABC's, of the gates between registers or ports of one module; paths across modules are"
    " not followed, the flip-flops' own delay is not counted.",
)
_NODES = {"nangate": 45, "orbis_builtin": 45, "asap7": 7}


def node_of(library: Library) -> int | None:
    """The node, in nm, of a library that is known by its name; None of any other."""
    return next((nm for key, nm in _NODES.items() if library.name.lower().startswith(key)), None)


@dataclass(frozen=True)
class Row:
    """One module, counted over all its instances.

    Attributes:
        module: its path in the design, of the first of all modules alike.
        instances: in the design, or in the unit that is reported.
        area: um2 of the cells of one instance, with all that it contains.
        total: um2 of its instances' own cells, so that the column adds up to the whole.
        flip_flops: of its instances alone.
        sram_bits: of its instances alone.
        share: its ``total`` of the whole.
        delay: ps of its longest path; 0 if it has no gates.
        path: the nets at that path's ends.
    """

    module: str
    instances: int
    area: float
    total: float
    flip_flops: int
    sram_bits: int
    share: float
    delay: float
    path: str


@dataclass(frozen=True)
class Summary:
    """The design's sums. Areas in um2 at the library's node unless a name says otherwise.

    Attributes:
        library: its name.
        nand2: um2 of its smallest NAND2, the gate equivalent.
        node: nm, or None where the library's is not known; then nothing is scaled, and SRAM is
            counted in bits alone.
        logic: um2 of all cells.
        kge: thousand gate equivalents of all cells.
        flip_flops: number of them.
        sram_bits: of all memories that are macros.
        sram: um2 of the macros, by synth.sram.
        scaled_mm2: logic (by DeepScaleTool) and SRAM (by synth.sram) together, mm2 by nm.
        share_of_instance: of one ORBIS instance in 28 nm.
        slowest: ps of the longest path inside any one module.
    """

    library: str
    nand2: float
    node: int | None
    logic: float
    kge: float
    flip_flops: int
    sram_bits: int
    sram: float | None
    scaled_mm2: dict[int, float]
    share_of_instance: float | None
    slowest: float


def summarise(design: MappedDesign) -> Summary:
    """Sums over all instances."""
    library, node = design.library, node_of(design.library)
    sram = None
    scaled: dict[int, float] = {}
    if node is not None:
        sram = _sram(design, node)
        scaled = {
            other: (scale_area(design.area, node, other) + _sram(design, other)) / 1e6
            for other in AREA
        }
    return Summary(
        library=library.name,
        nand2=library.nand2.area,
        node=node,
        logic=design.area,
        kge=library.gate_equivalents(design.area) / 1000,
        flip_flops=design.flip_flops,
        sram_bits=sum(macro.bits * count for macro, count in design.macros.items()),
        sram=sram,
        scaled_mm2=scaled,
        share_of_instance=instance_share(scaled[28] * 1e6) if scaled else None,
        slowest=max((m.path.delay for m in design.modules.values() if m.path), default=0.0),
    )


def _sram(design: MappedDesign, node: int) -> float:
    """um2 of all macros at a node."""
    return sum(macro.area(node) * count for macro, count in design.macros.items())


def rows(design: MappedDesign, root: str = TOP) -> list[Row]:
    """A row a module, counted inside ``root`` alone, the largest total first."""
    counts = design.instances(root)
    whole = sum(design.modules[name].area * count for name, count in counts.items())
    found = [_row(design, name, count, whole) for name, count in counts.items()]
    return sorted(found, key=lambda row: -row.total)


def unit_rows(design: MappedDesign, unit: str) -> list[Row]:
    """The rows of one instance of a unit and of what it contains; shares are of that unit.

    Raises:
        ValueError: no module of that name.
    """
    units = {name.split(".")[-1].split("$")[0]: name for name in reversed(design.modules)}
    if unit not in units:
        raise ValueError(f"unit is {unit!r}; it must be one of {', '.join(sorted(units))}.")
    return rows(design, units[unit])


def as_json(design: MappedDesign) -> dict[str, Any]:
    """Everything that was found, JSON types."""
    return {
        "summary": asdict(summarise(design)),
        "modules": [asdict(row) for row in rows(design)],
        "sram": [
            {"depth": macro.depth, "width": macro.width, "ports": macro.ports, "count": count}
            for macro, count in sorted(design.macros.items(), key=lambda item: -item[0].bits)
        ],
        "caveats": list(CAVEATS),
    }


def plot(path: Path, design: MappedDesign, most: int = 14) -> None:
    """Draw where the area goes, as PNG: the largest modules, and SRAM where its area is known."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    summary, listed = summarise(design), rows(design)
    bars = [(f"{row.module} x {row.instances}", row.total / 1e3) for row in listed[:most]]
    bars.append(("all other modules", sum(row.total for row in listed[most:]) / 1e3))
    if summary.sram:
        bars.append((f"SRAM, {summary.sram_bits:,} bits", summary.sram / 1e3))
    figure = Figure(figsize=(9, 0.34 * len(bars) + 1.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    colours = ["#999999" if "other" in name or "SRAM" in name else "#3366aa" for name, _ in bars]
    drawn = axes.barh([name for name, _ in bars], [area for _, area in bars], color=colours)
    axes.bar_label(drawn, fmt="%.1f", padding=3, fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set(xlabel=f"1,000 um2 ({summary.library}); memories by a model")
    axes.set_title(f"{summary.kge:,.0f} kGE of cells")
    figure.savefig(path, dpi=110, format="png")


def path_of(name: str) -> str:
    """A module's name without that of the top module before it."""
    return name.removeprefix(f"{TOP}.")


def _row(design: MappedDesign, name: str, count: int, whole: float) -> Row:
    module = design.modules[name]
    total = module.area * count
    return Row(
        module=path_of(name),
        instances=count,
        area=sum(design.modules[part].area * n for part, n in design.instances(name).items()),
        total=total,
        flip_flops=module.flip_flops * count,
        sram_bits=sum(macro.bits for macro in module.macros) * count,
        share=total / whole if whole else 0.0,
        delay=module.path.delay if module.path else 0.0,
        path=f"{module.path.start} to {module.path.end}" if module.path else "",
    )
