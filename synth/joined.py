"""The whole design's longest path: its modules as they were mapped, joined and sized as one.

Mapped alone, a module does not know what its ports drive, nor how long paths are that end in it.
Joined, the cells stay what they are but for their sizes and for buffers, and paths run from
flip-flop to flip-flop through as many modules as they cross.
"""

import gzip
import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synth import yosys
from synth.liberty import GZIP, Library
from synth.mapped import Endpoint, LongestPath, MappedDesign
from synth.mapping import write_library
from synth.memories import BLACK_BOX
from synth.netlist import netlist_readers
from synth.yosys import YosysError

_SIZING = "topo; buffer; upsize -D {ps}; stime -p"
"""ABC's passes on all cells between flip-flops and memories. None makes a cell smaller again: that
would let every path grow as long as the longest."""
_FOUND = re.compile(r"Area =\s*([\d.]+).*?Delay =\s*([\d.]+) ps", re.DOTALL)
_ENDS = re.compile(r"Start-point = pi(\d+)\.\s+End-point = po(\d+)\.")
_COLOUR = re.compile(r"\x1b\[[\d;]*m")
Bits = Sequence[int | str]
"""Nets of a pin: numbers, or constants."""


@dataclass(frozen=True)
class Joined:
    """A design joined: the area of all its cells in um2, resized, and its longest path."""

    area: float
    path: LongestPath


def join(design: MappedDesign) -> Joined:
    """Join the modules of a design, and time it.

    Args:
        design: mapped with its netlists, and without full adders, which ABC does not see through.

    Raises:
        ValueError: a design without netlists, or with full adders.
        YosysError: a pass failed.
    """
    if design.flow.full_adders or not all(m.netlist for m in design.modules.values()):
        raise ValueError("a design is joined from its netlists, mapped without full adders.")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        netlist = _flattened(design, work)
        network = _Network(netlist, design.library)
        (work / "joined.blif").write_text(network.blif())
        said = _abc(design, work)
    found, ends = _FOUND.search(said), _ENDS.search(said)
    if not found or not ends:
        raise YosysError(f"abc reported no path: {said.strip().splitlines()[-1:]}")
    kinds = (design.library.cells.get(cell["type"]) for cell in netlist["cells"].values())
    flip_flops = sum(kind.area for kind in kinds if kind and kind.is_flip_flop)
    path = LongestPath(float(found[2]), network.start(int(ends[1])), network.end(int(ends[2])))
    return Joined(flip_flops + float(found[1]), path)


def _flattened(design: MappedDesign, work: Path) -> Mapping[str, Any]:
    """The top module without modules in it, as Yosys writes JSON."""
    files = write_library(work, design.library)
    yosys.run(
        [
            *(f"read_liberty -lib -ignore_miss_func -ignore_miss_dir {file}" for file in files),
            *netlist_readers(design, work),
            f"hierarchy -top {design.top}",
            "flatten -noscopeinfo",
            "opt_clean -purge",
            "write_json joined.json",
        ],
        work,
    )
    top: Mapping[str, Any] = json.loads((work / "joined.json").read_text())["modules"][design.top]
    return top


def _abc(design: MappedDesign, work: Path) -> str:
    """What ABC says of the network in a folder."""
    reading = []
    for number, content in enumerate(design.library.files):
        plain = work / f"plain{number}.lib"
        plain.write_bytes(gzip.decompress(content) if content.startswith(GZIP) else content)
        reading.append(f"read_lib -w {'-m ' if number else ''}{plain.name}")
    sizing = _SIZING.format(ps=f"{design.flow.period_ns * 1000:.0f}")
    script = "; ".join([*reading, "read_blif joined.blif", sizing])
    return _COLOUR.sub("", yosys.run_abc(script, work))


class _Network:
    """The cells between flip-flops and memories; these and the ports are its ends."""

    def __init__(self, netlist: Mapping[str, Any], library: Library) -> None:
        self._gates: list[str] = []
        self._names = _names(netlist["netnames"])
        self._ends: dict[str, str] = {}
        starts: set[str] = set()
        for port in netlist["ports"].values():
            if port["direction"] == "input":
                starts |= set(_nets(port["bits"]))
            else:
                self._ends |= {net: self._name(net) for net in _nets(port["bits"])}
        for cell in netlist["cells"].values():
            kind, pins = cell["type"], cell["connections"]
            if kind in library.cells and not library.cells[kind].is_flip_flop:
                self._gates.append(_gate(kind, pins))
                starts |= {
                    f"constant{bits[0]}" for bits in pins.values() if isinstance(bits[0], str)
                }
                continue
            outputs = _outputs(cell)
            held = next((self._name(net) for pin in outputs for net in _nets(pins[pin])), kind)
            for pin, bits in pins.items():
                if pin in outputs:
                    starts |= set(_nets(bits))
                else:
                    end = f"{held} {pin}" if kind == BLACK_BOX else held
                    self._ends |= dict.fromkeys(_nets(bits), end)
        self._inputs = sorted(starts)
        self._outputs = sorted(set(self._ends) - starts)

    def blif(self) -> str:
        """The network as ABC reads it."""
        return "\n".join(
            [
                ".model joined",
                f".inputs {' '.join(self._inputs)}",
                f".outputs {' '.join(self._outputs)}",
                *self._gates,
                ".end\n",
            ]
        )

    def start(self, place: int) -> Endpoint:
        """Where a path begins: an input's name."""
        return Endpoint(self._name(self._inputs[place]), "")

    def end(self, place: int) -> Endpoint:
        """Where a path ends: at a port, or at what the register or memory behind it holds."""
        return Endpoint(self._ends[self._outputs[place]], "")

    def _name(self, net: str) -> str:
        return self._names.get(net, net)


def _gate(kind: str, pins: Mapping[str, Bits]) -> str:
    """A cell as BLIF has it."""
    return f".gate {kind} {' '.join(f'{pin}={_net(bits[0])}' for pin, bits in pins.items())}"


def _outputs(cell: Mapping[str, Any]) -> list[str]:
    """The pins of a flip-flop or a memory that drive something."""
    if cell["type"] == BLACK_BOX:
        return ["RD_DATA"]
    return [pin for pin, way in cell["port_directions"].items() if way == "output"]


def _net(bit: int | str) -> str:
    return f"n{bit}" if isinstance(bit, int) else f"constant{bit}"


def _nets(bits: Bits) -> list[str]:
    """Those of them that are no constants."""
    return [_net(bit) for bit in bits if isinstance(bit, int)]


def _names(netnames: Mapping[str, Any]) -> dict[str, str]:
    """The shortest name of each net, a number of its bit with it."""
    found: dict[str, str] = {}
    for name, wire in netnames.items():
        for place, net in enumerate(wire["bits"]):
            full = f"{name} [{place}]" if len(wire["bits"]) > 1 else name
            if isinstance(net, int) and len(found.get(f"n{net}", full + " ")) > len(full):
                found[f"n{net}"] = full
    return found
