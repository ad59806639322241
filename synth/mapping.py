"""The Yosys passes that map one module to a cell library, and what they report of it."""

import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from synth import memories, yosys
from synth.liberty import GZIP, FullAdder, Library

_SIZING = ("buffer", "upsize,-D,{ps}", "dnsize,-D,{ps}", "stime,-p")
_ABC = {
    "small": ("strash", "ifraig", "scorr", "dc2", "dc2", "dch,-f", "amap,-m", *_SIZING),
    "fast": ("strash", "&get,-n", "&fraig,-x", "&put", "scorr", "dc2", "dch,-f", "strash",
             "&get,-n", "&nf", "&put", *_SIZING),
}  # fmt: skip
"""Each module is mapped both ways: for area, and for delay."""
_SYNTHESIS = (
    "opt_expr", "opt_clean", "opt -nodffe -nosdff", "fsm", "opt", "wreduce", "peepopt", "opt_clean",
    "alumacc", "arith_tree", "share", "opt", "opt_clean", "opt -fast -full", "opt -full", "techmap",
    "opt -fast", "opt_dff", "opt_clean", "opt -full",
)  # fmt: skip
"""Those of `synth -arith_tree`, which itself takes whole designs alone, and a last round.

Sums in carry-save form: the distance element with a shared weight is 17 % smaller and 10 % faster
with it, other units are within 1 %. Booth multipliers (`-booth`) make units up to 15 % larger. The
last round finds flip-flops that are constant bit by bit (bit 1 of a square is): 7 % of a distance
element with a weight a channel.
"""
_MARK = "mapping for aim "
_FULL_ADDERS = ("extract_fa -fa", "techmap -map full_adder.v", "opt_clean")
_DELAY = re.compile(r"Delay =\s*([\d.]+) ps")
_ENDS = re.compile(r"Start-point = \w+ \(([^)]*)\)\.\s+End-point = \w+ \(([^)]*)\)")
_FLIP_FLOP_PIN = re.compile(r"^\s+connect \\([DQ]) (.+)$")


@dataclass(frozen=True)
class Flow:
    """How a design is mapped.

    Attributes:
        period_ns: clock period. Of each module's mappings the smallest is taken whose path is no
            longer, or else the fastest.
        flat: whether all is one module first: slower, but nothing hides behind a module's edge.
        full_adders: whether the library's full adders are used: smaller, but ABC does not see
            through them, so that a module that holds one has no path.

    Raises:
        ValueError: a period that is not above 0.
    """

    period_ns: float = 1.0
    flat: bool = False
    full_adders: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.period_ns < float("inf"):
            raise ValueError(f"period is {self.period_ns} ns; it must be above 0.")


class Mapping(NamedTuple):
    """One mapping of a module.

    Attributes:
        cells: how many it holds, by type.
        path: its longest path: ps, and the nets at its ends; None if it has no gates.
        netlist: RTLIL of the mapped module, its memories black boxes; empty if it was not wanted.
    """

    cells: dict[str, int]
    path: tuple[float, str, str] | None
    netlist: str

    @property
    def delay(self) -> float:
        """Of the longest path, in ps."""
        return self.path[0] if self.path else 0.0


def passes(name: str, flow: Flow, library: Library, *, with_netlist: bool = False) -> list[str]:
    """The passes that map module ``name`` of the design that is read from ``design.il``."""
    liberty = " ".join(f"-liberty {file}" for file in _library_files(library))
    script = [
        "read_verilog -lib boxes.v",
        "read_rtlil design.il",
        f"hierarchy -top {name} -check",
        *(["flatten -noscopeinfo"] if flow.flat else []),
        "setattr -unset init w:*",  # no flip-flop of an ASIC has a value at power-up
        "proc -norom",  # a table of constants is gates
        "opt -full",
        *memories.TO_BLACK_BOXES,
        *_SYNTHESIS,
        *(_FULL_ADDERS if flow.full_adders else ()),
        f"dfflibmap -prepare {liberty}",
        "dump t:$_DFF_*",
        f"dfflibmap {liberty}",
        "design -save unmapped",
    ]
    for aim, commands in _ABC.items():
        abc = ";".join(commands).format(ps=f"{flow.period_ns * 1000:.0f}")
        script += [
            "design -load unmapped",
            f"log {_MARK}{aim}",
            f"abc {liberty} -script +{abc}",
            "opt_clean",
            f"tee -q -o {aim}.json stat -json",
        ]
        if with_netlist:
            script.append(f"write_rtlil {aim}.il")
    return script


def map_module(
    name: str,
    design: str,
    flow: Flow,
    library: Library,
    *,
    with_netlist: bool = False,
    processes: yosys.Processes | None = None,
) -> list[Mapping]:
    """Map one module every way, in a process of its own, so that no other has a say in it.

    Args:
        name: of the module.
        design: RTLIL text that holds it, and those that it instantiates: as black boxes, or whole
            where they are to be flattened.
        flow: how.
        library: to what.
        with_netlist: whether the mapped modules themselves are wanted.
        processes: those that Yosys' is one of.

    Raises:
        YosysError: a pass failed.
    """
    log = PathLog()
    mappings = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for file, text in ({"design.il": design} | side_files(library)).items():
            (work / file).write_text(text)
        write_library(work, library)
        script = passes(name, flow, library, with_netlist=with_netlist)
        yosys.run(script, work, log.hear, processes)
        for aim in _ABC:
            counts = json.loads((work / f"{aim}.json").read_text())["modules"]
            path = log.paths.get(aim)
            netlist = (work / f"{aim}.il").read_text() if with_netlist else ""
            mappings.append(Mapping(counts[f"\\{name}"]["num_cells_by_type"], path, netlist))
    return mappings


def choose(mappings: Sequence[Mapping], flow: Flow, library: Library) -> Mapping:
    """The smallest mapping that meets the period, or else the fastest."""
    met = [mapping for mapping in mappings if mapping.delay <= flow.period_ns * 1000]
    if met:
        return min(met, key=lambda mapping: library.area(mapping.cells))
    return min(mappings, key=lambda mapping: mapping.delay)


class PathLog:
    """Follows what Yosys logs, for ABC's longest path of each mapping.

    A path into a flip-flop ends at a net of Yosys' making; the flip-flops, which are logged before,
    tell the register.
    """

    def __init__(self) -> None:
        self._aim = ""
        self._delay = 0.0
        self._input = ""
        self._registers: dict[str, str] = {}
        self.paths: dict[str, tuple[float, str, str]] = {}

    def hear(self, line: str) -> None:
        """Take the next line."""
        if line.startswith(_MARK):
            self._aim = line.removeprefix(_MARK).strip()
        elif pin := _FLIP_FLOP_PIN.match(line):
            if pin[1] == "D":
                self._input = pin[2]
            else:
                self._registers[self._input] = pin[2]
        elif found := _DELAY.search(line):
            self._delay = float(found[1])
        elif found := _ENDS.search(line):
            end = self._registers.get(found[2], found[2])
            self.paths[self._aim] = self._delay, found[1], end


def write_library(folder: Path, library: Library) -> list[str]:
    """Write a library's files as they are; returns their names, which can disturb no script."""
    names = _library_files(library)
    for name, content in zip(names, library.files, strict=True):
        (folder / name).write_bytes(content)
    return names


def _library_files(library: Library) -> list[str]:
    return [
        f"library{number}.lib{'.gz' if content.startswith(GZIP) else ''}"
        for number, content in enumerate(library.files)
    ]


def side_files(library: Library) -> dict[str, str]:
    """What the passes read beside the design and the library, by file name."""
    boxes = memories.BLACK_BOX_VERILOG
    files = {}
    if adder := library.full_adder:
        pins = f"input {', '.join(adder.inputs)}, output {adder.sum}, {adder.carry}"
        boxes += f"(* blackbox *) module {adder.cell} ({pins}); endmodule\n"
        files["full_adder.v"] = _full_adder_map(adder)
    return files | {"boxes.v": boxes}


def _full_adder_map(adder: FullAdder) -> str:
    """Verilog that makes each of Yosys' full adders, of one bit, a cell of the library."""
    inputs = ", ".join(f".{pin}({port})" for pin, port in zip(adder.inputs, "ABC", strict=True))
    return f"""\
(* techmap_celltype = "$fa" *)
module full_adder (A, B, C, X, Y);
parameter WIDTH = 1;
input A, B, C; output X, Y;
{adder.cell} _TECHMAP_REPLACE_ ({inputs}, .{adder.sum}(Y), .{adder.carry}(X));
endmodule
"""
