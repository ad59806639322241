"""Maps a component to a cell library with Yosys, module by module.

Structurally identical modules are one before they are mapped (hw.module_merge), so each is mapped
once and counted by its instances; hierarchy is kept, and nothing is optimised across it. Memories
of more than `FLIP_FLOP_WORDS` words leave as black boxes, to be counted as SRAM macros; smaller
ones become flip-flops, since a macro's periphery would cost more.

What the figures are not: there are no wires, no clock tree and no scan in them, open synthesis
takes 1.1 to 1.6 times a commercial tool's area, ABC's delay is that of the gates between registers
or ports of one module (a path that crosses modules is not followed, a flip-flop's own delay not
counted), and a bypass around an SRAM, where a read port shows what is just written, has no area.
"""

import json
import re
import shutil
import tempfile
from collections import Counter, deque
from dataclasses import dataclass
from pathlib import Path

from amaranth.lib import wiring

from hw.rtlil import RtlilModule, parse
from hw.verilog import to_rtlil
from synth import yosys
from synth.liberty import Library, read_library
from synth.sram import Macro

FLIP_FLOP_WORDS = 16
"""Words of the deepest memory that is built of flip-flops. With an enable and a multiplexer to read
it, a bit then costs about 8 um2 in 45 nm; in a dual-port macro it costs 10 at 16 words and 8 at 21
(synth.sram)."""
TOP = "top"
"""Name of a mapped design's top module."""
_SRAM = "orbis_sram"
_PORTS = ("RD_EN", "RD_ADDR", "RD_DATA", "WR_EN", "WR_ADDR", "WR_DATA")
_DECLARATIONS = """\
input [RD_PORTS-1:0] RD_EN; input [RD_PORTS*ABITS-1:0] RD_ADDR;
output [RD_PORTS*WIDTH-1:0] RD_DATA;
input [WR_PORTS*WIDTH-1:0] WR_EN, WR_DATA; input [WR_PORTS*ABITS-1:0] WR_ADDR;
"""
_BLACK_BOX = f"""\
(* blackbox, keep *)
module {_SRAM} ({", ".join(_PORTS)});
parameter ABITS = 1, WIDTH = 1, RD_PORTS = 1, WR_PORTS = 1;
{_DECLARATIONS}endmodule
"""
_UNUSED = (
    "MEMID", "SIZE", "OFFSET", "INIT", "RD_CLK_ENABLE", "RD_CLK_POLARITY",
    "RD_TRANSPARENCY_MASK", "RD_COLLISION_X_MASK", "RD_WIDE_CONTINUATION", "RD_CE_OVER_SRST",
    "RD_ARST_VALUE", "RD_SRST_VALUE", "RD_INIT_VALUE", "WR_CLK_ENABLE", "WR_CLK_POLARITY",
    "WR_PRIORITY_MASK", "WR_WIDE_CONTINUATION",
)  # fmt: skip
_MAP_MEMORY = f"""\
(* techmap_celltype = "$mem_v2" *)
module memory_to_sram (RD_CLK, RD_ARST, RD_SRST, WR_CLK, {", ".join(_PORTS)});
parameter ABITS = 1, WIDTH = 1, RD_PORTS = 1, WR_PORTS = 1;
parameter {", ".join(f"{name} = 0" for name in _UNUSED)};
input [RD_PORTS-1:0] RD_CLK, RD_ARST, RD_SRST; input [WR_PORTS-1:0] WR_CLK;
{_DECLARATIONS}{_SRAM} #(.ABITS(ABITS), .WIDTH(WIDTH), .RD_PORTS(RD_PORTS), .WR_PORTS(WR_PORTS))
_TECHMAP_REPLACE_ ({", ".join(f".{port}({port})" for port in _PORTS)});
endmodule
"""
_ABC = ("strash", "ifraig", "scorr", "dc2", "strash", "&get,-n", "&nf,-D,{ps}", "&put", "buffer",
        "upsize,-D,{ps}", "dnsize,-D,{ps}", "stime,-p")  # fmt: skip
_ABC_SAID = re.compile(
    r"Extracting gate netlist of module `\\?(?P<module>[^']+)'"
    r"|(?P<begun>Extracted \d+ gates and)"
    r"|Delay =\s*(?P<delay>[\d.]+) ps"
    r"|Start-point = \w+ \((?P<start>[^)]*)\)\.\s+End-point = \w+ \((?P<end>[^)]*)\)"
)


@dataclass(frozen=True)
class LongestPath:
    """The slowest gates between registers or ports of a module: ps, and the nets at its ends.

    A net that Yosys made has a name of its making, which begins with ``$``.
    """

    delay: float
    start: str
    end: str


@dataclass(frozen=True)
class MappedModule:
    """One module, once: what it holds of its own, and which modules it instantiates.

    Attributes:
        name: of the module; the top one is called ``top``.
        area: um2 of its own cells.
        cells: number of its own cells by library cell.
        flip_flops: how many of those are flip-flops.
        macros: its memories that are SRAM.
        children: instances by module name.
        path: its longest path; None if it has no gates.
    """

    name: str
    area: float
    cells: dict[str, int]
    flip_flops: int
    macros: tuple[Macro, ...]
    children: dict[str, int]
    path: LongestPath | None


@dataclass(frozen=True)
class MappedDesign:
    """All modules of a design, with sums over their instances."""

    library: Library
    modules: dict[str, MappedModule]

    def instances(self, root: str = TOP) -> Counter[str]:
        """How often each module stands in ``root`` (itself once), over all paths; 0 where not."""
        found: Counter[str] = Counter()

        def walk(name: str, times: int) -> None:
            found[name] += times
            for child, count in self.modules[name].children.items():
                walk(child, times * count)

        walk(root, 1)
        return found

    @property
    def area(self) -> float:
        """um2 of all cells, memories that are SRAM not counted."""
        return sum(self.modules[name].area * n for name, n in self.instances().items())

    @property
    def flip_flops(self) -> int:
        """Flip-flops of all instances."""
        return sum(self.modules[name].flip_flops * n for name, n in self.instances().items())

    @property
    def macros(self) -> Counter[Macro]:
        """SRAM macros of all instances."""
        found: Counter[Macro] = Counter()
        for name, count in self.instances().items():
            for macro in self.modules[name].macros:
                found[macro] += count
        return found


def map_design(
    component: wiring.Component, liberty: list[Path], period_ns: float = 1.0
) -> MappedDesign:
    """Map a component and all that is in it.

    Args:
        component: from hw, not yet elaborated.
        liberty: the files of one library.
        period_ns: clock period that ABC sizes the gates for.

    Raises:
        ValueError: a library that cannot be read (synth.liberty), or a period that is not above 0.
        YosysError: a pass failed.
    """
    if not period_ns > 0:
        raise ValueError(f"period is {period_ns} ns; it must be above 0.")
    library = read_library(liberty)
    source = to_rtlil(component, TOP)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "design.il").write_text(source)
        (work / "black_box.v").write_text(_BLACK_BOX)
        (work / "map_memory.v").write_text(_MAP_MEMORY)
        files = [_local_copy(path, work, n) for n, path in enumerate(liberty)]
        log = yosys.run(list(_script(work, files, period_ns)))
        counts = json.loads((work / "stat.json").read_text())["modules"]
    paths = _paths(log)
    sources = {module.name[1:]: module for module in parse(source)}
    modules = {
        name: _mapped(name, counts[f"\\{name}"]["num_cells_by_type"], sources, library, paths)
        for name in sources
    }
    return MappedDesign(library, modules)


def _local_copy(path: Path, work: Path, number: int) -> Path:
    """A library file where no blank or comma in its path can disturb a script; still gzipped."""
    suffix = ".lib.gz" if path.read_bytes()[:2] == b"\x1f\x8b" else ".lib"
    return Path(shutil.copy(path, work / f"library{number}{suffix}"))


def _script(work: Path, libraries: list[Path], period_ns: float) -> list[str]:
    cells = " ".join(f"-liberty {path}" for path in libraries)
    abc = ";".join(_ABC).format(ps=f"{period_ns * 1000:g}")
    small = f"t:$mem_v2 r:SIZE<={FLIP_FLOP_WORDS} %i"
    return [
        f"read_verilog -lib {work / 'black_box.v'}",
        f"read_rtlil {work / 'design.il'}",
        f"hierarchy -top {TOP} -check",
        "setattr -unset init w:*",  # no flip-flop of an ASIC has a value at power-up
        "proc",
        "opt -full",
        "memory -nomap",
        f"memory_map {small}",
        f"techmap -map {work / 'map_memory.v'}",
        "synth -run coarse:check -noabc",
        f"dfflibmap {cells}",
        f"abc {cells} -script +{abc}",
        "opt_clean",
        f"tee -q -o {work / 'stat.json'} stat -json",
    ]


def _paths(log: str) -> dict[str, LongestPath]:
    """The longest path by module: ABC gets all modules first, then maps them in that order."""
    paths: dict[str, LongestPath] = {}
    waiting: deque[str] = deque()
    module, delay = "", 0.0
    for found in _ABC_SAID.finditer(log):
        if found["module"]:
            waiting.append(found["module"])
        elif found["begun"]:
            module = waiting.popleft()
        elif found["delay"]:
            delay = float(found["delay"])
        else:
            paths[module] = LongestPath(
                delay, *(found[end].lstrip("\\") for end in ("start", "end"))
            )
    return paths


def _mapped(
    name: str,
    counts: dict[str, int],
    sources: dict[str, RtlilModule],
    library: Library,
    paths: dict[str, LongestPath],
) -> MappedModule:
    cells = {kind: count for kind, count in counts.items() if kind in library.cells}
    children = {kind: count for kind, count in counts.items() if kind in sources}
    strange = set(counts) - set(cells) - set(children) - {_SRAM}
    if strange:
        listed = ", ".join(sorted(strange))
        raise yosys.YosysError(f"module {name} holds cells that were not mapped: {listed}")
    macros = _macros(sources[name])
    if counts.get(_SRAM, 0) != len(macros):
        raise yosys.YosysError(
            f"module {name} has {len(macros)} memories, but {counts.get(_SRAM, 0)} were mapped"
        )
    return MappedModule(
        name=name,
        area=sum(library.cells[kind].area * count for kind, count in cells.items()),
        cells=cells,
        flip_flops=sum(n for kind, n in cells.items() if library.cells[kind].is_flip_flop),
        macros=macros,
        children=children,
        path=paths.get(name),
    )


def _macros(module: RtlilModule) -> tuple[Macro, ...]:
    """The memories of a module that are too deep for flip-flops, with a clocked port each way."""
    ports: Counter[tuple[str, str]] = Counter()
    for cell in module.cells:
        if cell.kind in ("$memrd_v2", "$memwr_v2"):
            settings = dict(line.split()[1:3] for line in cell.parameters)
            clocked = "clocked" if settings["\\CLK_ENABLE"] == "1" else "unclocked"
            ports[settings["\\MEMID"], f"{cell.kind} {clocked}"] += 1
    found = []
    for words in (line.split() for line in module.declarations):
        if words[0] != "memory":
            continue
        depth, width = (int(words[words.index(size) + 1]) for size in ("size", "width"))
        if depth <= FLIP_FLOP_WORDS:
            continue
        memory = f'"\\{words[-1]}"'
        mine = {port: count for (owner, port), count in ports.items() if owner == memory}
        if mine != {"$memrd_v2 clocked": 1, "$memwr_v2 clocked": 1}:
            raise ValueError(
                f"memory {words[-1]} of {module.name} has the ports {mine}; a macro has one clocked"
                " read port and one clocked write port."
            )
        found.append(Macro(depth, width, 2))
    return tuple(found)
