"""What a mapped design comes to: rows by module, sums, and figures scaled to other nodes."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from synth.joined import Joined
from synth.liberty import Library
from synth.mapped import Endpoint, MappedDesign, short_path
from synth.scaling import AREA, instance_share, scale_area

_MODULE, _REST = "#3366aa", "#999999"
_NODES = {"nangate": 45, "orbis_builtin": 45, "asap7": 7}


def caveats(design: MappedDesign, joined: Joined | None = None) -> list[str]:
    """What must be known to read a design's figures right, if it was joined those of all cells."""
    across = "" if design.flow.flat else " of one module; paths across modules are not followed"
    if joined is not None:
        across = " of one module, and joined of all"
    return [
        "Open synthesis takes 1.1 to 1.6 times a commercial tool's area; no figure is corrected.",
        "No wires, no clock tree, no scan: cells of the netlist alone, memories by a model.",
        f"Delay: ABC's, of the gates between registers or ports{across}. Not in it: the flip-flops'"
        " own delay and set-up, the memories' access, and what a register's output drives.",
        "A bypass around an SRAM, where a read shows what is just written, has no area.",
    ]


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
        delay: ps of its longest path; None if it has no gates, or full adders that hide it.
        start, end: the registers or ports at that path's ends, with their source lines.
    """

    module: str
    instances: int
    area: float
    total: float
    flip_flops: int
    sram_bits: int
    share: float
    delay: float | None
    start: Endpoint | None
    end: Endpoint | None

    @property
    def path(self) -> str:
        """What the longest path runs from and to."""
        return f"{self.start} to {self.end}" if self.start else ""


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
        share_of_instance: of one ORBIS instance in 28 nm, logic and SRAM.
        logic_share_of_instance: the same of logic alone.
        slowest: ps of the longest path inside any one module.
        untimed: modules whose full adders hide their paths.
        late: modules whose path is longer than the period, so that the fastest mapping was taken.
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
    logic_share_of_instance: float | None
    slowest: float
    untimed: int
    late: int


def summarise(design: MappedDesign) -> Summary:
    """Sums over all instances."""
    library, node = design.library, node_of(design.library)
    sram = None
    scaled: dict[int, float] = {}
    if node is not None:
        sram = _sram(design, node)
        scaled = _scaled_mm2(design, design.area, node)
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
        logic_share_of_instance=(
            instance_share(scale_area(design.area, node, 28)) if node is not None else None
        ),
        slowest=max((m.path.delay for m in design.modules.values() if m.path), default=0.0),
        untimed=sum(m.holds_full_adders for m in design.modules.values()),
        late=sum(
            m.path.delay > design.flow.period_ns * 1000 for m in design.modules.values() if m.path
        ),
    )


def _scaled_mm2(design: MappedDesign, logic: float, node: int) -> dict[int, float]:
    """Cells and macros together by node, where the cells are of one."""
    return {other: (scale_area(logic, node, other) + _sram(design, other)) / 1e6 for other in AREA}


def _sram(design: MappedDesign, node: int) -> float:
    """um2 of all macros at a node."""
    return sum(macro.area(node) * count for macro, count in design.macros.items())


def rows(design: MappedDesign) -> list[Row]:
    """A row a module, the largest total first."""
    found = [_row(design, name, count) for name, count in design.instances.items()]
    return sorted(found, key=lambda row: -row.total)


def as_json(design: MappedDesign, joined: Joined | None = None) -> dict[str, Any]:
    """Everything that was found, JSON types."""
    whole = {} if joined is None else {"joined": joined_as_json(design, joined)}
    return {
        "summary": asdict(summarise(design)),
        "modules": [asdict(row) for row in rows(design)],
        "sram": [
            {"depth": macro.depth, "width": macro.width, "ports": macro.ports, "count": count}
            for macro, count in sorted(design.macros.items(), key=lambda item: -item[0].bits)
        ],
        **whole,
        "caveats": caveats(design, joined),
    }


def joined_as_json(design: MappedDesign, joined: Joined) -> dict[str, Any]:
    """A design's sums with all cells sized as one, and its longest path across modules."""
    node = node_of(design.library)
    return {
        "logic": joined.area,
        "scaled_mm2": {} if node is None else _scaled_mm2(design, joined.area, node),
        "delay": joined.path.delay,
        "start": str(joined.path.start),
        "end": str(joined.path.end),
    }


def plot(path: Path, design: MappedDesign, most: int = 14) -> None:
    """Draw where the area goes, as PNG: the largest modules, and SRAM where its area is known."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    summary, listed = summarise(design), rows(design)
    bars = [(f"{row.module} x {row.instances}", row.total, _MODULE) for row in listed[:most]]
    if listed[most:]:
        others = sum(row.total for row in listed[most:])
        bars.append((f"{len(listed) - most} other modules", others, _REST))
    if summary.sram:
        bars.append((f"SRAM, {summary.sram_bits:,} bits", summary.sram, _REST))
    names, areas, colours = zip(*bars, strict=True)
    figure = Figure(figsize=(9, 0.34 * len(bars) + 1.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    drawn = axes.barh(names, [area / 1e3 for area in areas], color=colours)
    axes.bar_label(drawn, fmt="%.1f", padding=3, fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set(xlabel=f"1,000 um2 ({summary.library}); memories by a model")
    axes.set_title(f"{summary.kge:,.0f} kGE of cells")
    figure.savefig(path, dpi=110, format="png")


def _row(design: MappedDesign, name: str, count: int) -> Row:
    module = design.modules[name]
    total = module.area * count
    return Row(
        module=short_path(name),
        instances=count,
        area=design.area_of(name),
        total=total,
        flip_flops=module.flip_flops * count,
        sram_bits=sum(macro.bits for macro in module.macros) * count,
        share=total / design.area if design.area else 0.0,
        delay=module.path.delay if module.path else None,
        start=module.path.start if module.path else None,
        end=module.path.end if module.path else None,
    )
