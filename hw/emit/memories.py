"""On-chip memories of a design: their shapes, which of them are macros, and modules of their own.

Every memory has one clocked read port and one clocked write port; where both have the same address
they are one port, which reads or writes. A module of its own for each shape lets an integrator put
a macro in its place (`hw.emit.wrappers` writes what it does).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hw.emit.rtlil import Bit, Cell, RtlilModule, signal_text

FLIP_FLOP_WORDS = 16
"""Words of the deepest memory that is built of flip-flops. With an enable and a multiplexer to read
it, a bit then costs about 8 um2 in 45 nm; in a dual-port macro it costs 10 at 16 words and 8 at 21
(synth.sram)."""

_READ, _WRITE = "$memrd_v2", "$memwr_v2"
_PORTS = {f"{_READ} clocked": 1, f"{_WRITE} clocked": 1}
"""What the ports of a memory must be, by `_port`."""


@dataclass(frozen=True, order=True)
class MemoryShape:
    """``depth`` words of ``width`` bits, of which a write may pick parts of ``granularity`` bits.

    ``ports`` is 1 where reads and writes share an address, or 2.
    """

    depth: int
    width: int
    ports: int
    granularity: int

    @property
    def is_macro(self) -> bool:
        """Whether it is to be an SRAM macro; else it is built of flip-flops."""
        return self.depth > FLIP_FLOP_WORDS

    @property
    def parts(self) -> int:
        """Parts of a word, which are the bits of its write enable."""
        return self.width // self.granularity

    @property
    def address_bits(self) -> int:
        """Bits of an address; a single word has none."""
        return (self.depth - 1).bit_length()

    @property
    def suffix(self) -> str:
        """What tells a module of this shape from others: kind, words by bits, ports, parts."""
        kind = "sram" if self.is_macro else "regfile"
        parts = f"_by{self.granularity}" if self.parts > 1 else ""
        return f"{kind}_{self.depth}x{self.width}_{'1rw' if self.ports == 1 else '1r1w'}{parts}"


@dataclass(frozen=True)
class Memory:
    """A memory of a module: its name there, its shape, and the cells that are its ports."""

    name: str
    shape: MemoryShape
    read: Cell
    write: Cell


@dataclass(frozen=True)
class MemoryModule:
    """A module that is a memory of some shape, and its instances in the whole design."""

    name: str
    shape: MemoryShape
    instances: int


def memories_of(module: RtlilModule) -> Iterator[Memory]:
    """The memories of a module, in their order.

    Raises:
        ValueError: a memory of other ports.
    """
    ports: dict[str, list[Cell]] = {}
    for cell in module.cells:
        if cell.kind in (_READ, _WRITE):
            ports.setdefault(_parameters(cell)["\\MEMID"], []).append(cell)
    for words in (line.split() for line in module.declarations):
        if words[0] != "memory":
            continue
        depth, width = (int(words[words.index(size) + 1]) for size in ("size", "width"))
        mine = ports.get(f'"\\{words[-1]}"', [])
        if (found := dict(Counter(map(_port, mine)))) != _PORTS:
            raise ValueError(
                f"memory {words[-1]} of {module.name} has the ports {found}; it must have one"
                " clocked read port and one clocked write port."
            )
        by_kind = {cell.kind: cell for cell in mine}
        read, write = by_kind[_READ], by_kind[_WRITE]
        same = read.connections["\\ADDR"] == write.connections["\\ADDR"]
        granularity = _granularity(module.bits(write.connections["\\EN"]))
        shape = MemoryShape(depth, width, 1 if same else 2, granularity)
        yield Memory(words[-1], shape, read, write)


def split_memories(modules: Sequence[RtlilModule], prefix: str) -> list[MemoryModule]:
    """Make every memory an instance of a module of its shape, in place; the first one is the top.

    Returns those modules, which are the caller's to add, largest first; their names begin with
    ``prefix``.
    """
    shapes: dict[str, MemoryShape] = {}
    for module in modules:
        for memory in memories_of(module):
            name = f"{prefix}_{memory.shape.suffix}"
            shapes[name] = memory.shape
            instance = Cell(f"\\{name}", memory.name, connections=_connections(module, memory))
            module.items = [
                instance if item is memory.read else item
                for item in module.items
                if item is not memory.write
            ]
        module.keep_wires(module.wires)
    counts = _instances({module.name: module for module in modules}, modules[0].name)
    return [
        MemoryModule(name, shape, counts[f"\\{name}"])
        for name, shape in sorted(
            shapes.items(), key=lambda item: (-item[1].depth * item[1].width, item[0])
        )
    ]


def _parameters(cell: Cell) -> dict[str, str]:
    return dict(line.split()[1:3] for line in cell.parameters)


def _port(cell: Cell) -> str:
    """What kind of port a cell is."""
    parameters = _parameters(cell)
    words = [cell.kind, "clocked" if parameters["\\CLK_ENABLE"] == "1" else "unclocked"]
    if parameters["\\CLK_POLARITY"] != "1":
        words.append("falling")
    if "1" in parameters.get("\\TRANSPARENCY_MASK", "1'0").partition("'")[2]:
        words.append("transparent")
    if any(cell.connections.get(port, "1'0") != "1'0" for port in ("\\ARST", "\\SRST")):
        words.append("reset")
    return " ".join(words)


def _granularity(enables: list[Bit]) -> int:
    """Bits of the parts of a word that a write enable, given bit by bit, tells apart."""
    width = len(enables)
    return max(
        size
        for size in range(1, width + 1)
        if width % size == 0
        and all(enables[bit] == enables[bit - bit % size] for bit in range(width))
    )


def _connections(module: RtlilModule, memory: Memory) -> dict[str, str]:
    """What the ports of a memory's module are connected to."""
    shape, read, write = memory.shape, memory.read.connections, memory.write.connections
    enables = module.bits(write["\\EN"])[:: shape.granularity]
    connections = {"\\clk": read["\\CLK"]}
    if shape.address_bits and shape.ports == 1:
        connections["\\address"] = read["\\ADDR"]
    elif shape.address_bits:
        connections |= {"\\read_address": read["\\ADDR"], "\\write_address": write["\\ADDR"]}
    return connections | {
        "\\read_enable": read["\\EN"],
        "\\read_data": read["\\DATA"],
        "\\write_enable": signal_text(enables),
        "\\write_data": write["\\DATA"],
    }


def _instances(modules: dict[str, RtlilModule], top: str) -> Counter[str]:
    """How often each kind of cell is in the design, all instances of the modules counted."""
    found: Counter[str] = Counter()
    for cell in modules[top].cells:
        found[cell.kind] += 1
        if cell.kind in modules:
            found += _instances(modules, cell.kind)
    return found
