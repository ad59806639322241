"""RTLIL as Amaranth emits it: modules as text that can be taken apart and put together again.

Only what a pass over modules needs is parsed: wires, cells with their connections, and signals as
lists of bits. Everything else is kept as the lines that it came in, but for source lines: a wire
knows its own, and they are not written back, so that a text does not depend on where code stands.

Source: Yosys manual, 'RTLIL text representation'. Amaranth's processes hold no sync rules, and its
flip-flops are cells.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

Place = tuple[str, int]
"""One bit of a wire: its name and the bit's index."""
Bit = Place | str
"""One bit of a signal: of a wire, or a constant, one of 0, 1, x, z."""

_TOKEN = re.compile(r"[{}]|\[\d+(?::\d+)?\]|[^\s{}]+")
_CONSTANT = re.compile(r"(\d+)'([01xz-]*)$")
_SOURCE = "attribute \\src "


@dataclass(frozen=True)
class Wire:
    """A wire; ``direction`` is input, output or empty, ``init`` its initial value, bit 0 last.

    ``source`` is the file and line that made it, ``file:line``; empty where they are not known.
    """

    name: str
    width: int
    direction: str = ""
    init: str = ""
    source: str = ""

    @property
    def places(self) -> list[Place]:
        """All bits, bit 0 first."""
        return [(self.name, index) for index in range(self.width)]


@dataclass
class Cell:
    """An instance of ``kind``: its ``parameters`` as lines, a signal's text by port."""

    kind: str
    name: str
    attributes: list[str] = field(default_factory=list)
    parameters: list[str] = field(default_factory=list)
    connections: dict[str, str] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        """The cell as RTLIL."""
        yield from self.attributes
        yield f"  cell {self.kind} {self.name}"
        yield from self.parameters
        yield from (f"    connect {port} {signal}" for port, signal in self.connections.items())
        yield "  end"


@dataclass
class Process:
    """A process, as its lines from ``process`` to ``end``."""

    text: list[str]

    def lines(self) -> Iterator[str]:
        """The process as RTLIL."""
        yield from self.text


@dataclass
class RtlilModule:
    """A module: ``declarations`` (wires and memories) as lines, and what is made of them.

    ``assignments`` are the connections outside cells, a pair of signal texts each.
    """

    name: str
    attributes: list[str]
    declarations: list[str] = field(default_factory=list)
    wires: dict[str, Wire] = field(default_factory=dict)
    items: list[Cell | Process] = field(default_factory=list)
    assignments: list[tuple[str, str]] = field(default_factory=list)

    @property
    def cells(self) -> list[Cell]:
        """The cells, in their order."""
        return [item for item in self.items if isinstance(item, Cell)]

    @property
    def ports(self) -> list[Wire]:
        """The wires that are ports."""
        return [wire for wire in self.wires.values() if wire.direction]

    def add_wire(self, name: str, width: int) -> None:
        """Declare a wire that is no port."""
        self.wires[name] = Wire(name, width)
        self.declarations.append(f"  wire width {width} {name}")

    def keep_wires(self, kept: Mapping[str, Wire]) -> None:
        """Declare these wires alone, which are some of those there are, and no memory."""
        declarations, attributes = [], []
        for line in self.declarations:
            word, name = line.split()[0], line.split()[-1]
            if word == "attribute":
                attributes.append(line)
                continue
            if word != "memory" and name in kept:
                declarations += [*attributes, line]
            attributes = []
        self.declarations, self.wires = declarations, dict(kept)

    def lines(self) -> Iterator[str]:
        """The module as RTLIL."""
        yield from self.attributes
        yield f"module {self.name}"
        yield from self.declarations
        for item in self.items:
            yield from item.lines()
        yield from (f"  connect {left} {right}" for left, right in self.assignments)
        yield "end"

    def bits(self, signal: str) -> list[Bit]:
        """The bits of a signal's text, bit 0 first."""
        parts: list[Sequence[Bit]] = []
        tokens = _TOKEN.findall(signal)
        for position, token in enumerate(tokens):
            if token[0] in "{}[":
                continue
            constant = _CONSTANT.match(token)
            if constant:
                parts.append(list(reversed(constant[2].rjust(int(constant[1]), "0"))))
                continue
            bits: Sequence[Bit] = self.wires[token].places
            if position + 1 < len(tokens) and tokens[position + 1][0] == "[":
                high, _, low = tokens[position + 1][1:-1].partition(":")
                bits = bits[int(low or high) : int(high) + 1]
            parts.append(bits)
        return [bit for part in reversed(parts) for bit in part]


def signal_text(bits: Sequence[Bit]) -> str:
    """The text of a signal of the given bits, bit 0 first, in as few parts as it takes."""
    parts: list[str] = []
    position = 0
    while position < len(bits):
        begin, first = position, bits[position]
        position += 1
        if isinstance(first, str):
            while position < len(bits) and isinstance(bits[position], str):
                position += 1
            constant = "".join(str(bit) for bit in reversed(bits[begin:position]))
            parts.append(f"{position - begin}'{constant}")
            continue
        name, low = first
        while position < len(bits) and bits[position] == (name, low + position - begin):
            position += 1
        high = low + position - begin - 1
        parts.append(f"{name} [{high}:{low}]" if high > low else f"{name} [{low}]")
    return parts[0] if len(parts) == 1 else f"{{ {' '.join(reversed(parts))} }}"


def parse(text: str) -> list[RtlilModule]:
    """The modules of a design that Amaranth emitted, in their order."""
    modules: list[RtlilModule] = []
    lines = iter(text.splitlines())
    attributes: list[str] = []
    for line in lines:
        word = line.split(None, 1)[:1]
        if word == ["attribute"]:
            if _SOURCE not in line:
                attributes.append(line)
        elif word == ["module"]:
            module = RtlilModule(line.split()[1], attributes)
            attributes = []
            _parse_body(module, lines)
            modules.append(module)
    return modules


def black_box(module: RtlilModule) -> RtlilModule:
    """The module's ports alone, marked as a module whose content is elsewhere."""
    ports = {wire.name: wire for wire in module.ports}
    lines = [line for line in module.declarations if line.split()[-1] in ports]
    return RtlilModule(module.name, ["attribute \\blackbox 1"], lines, ports)


def to_text(modules: Sequence[RtlilModule]) -> str:
    """The design as RTLIL."""
    return "".join(f"{line}\n" for module in modules for line in module.lines())


def _parse_body(module: RtlilModule, lines: Iterator[str]) -> None:
    """Read the lines of a module up to its end."""
    attributes: list[str] = []
    source = ""
    for line in lines:
        word, _, rest = line.strip().partition(" ")
        if word == "attribute":
            if _SOURCE in line:
                source = line.split('"')[1]
            else:
                attributes.append(line)
            continue
        if word == "end":
            return
        if word == "wire":
            wire = _parse_wire(rest, attributes, source)
            module.wires[wire.name] = wire
            module.declarations += [*attributes, line]
        elif word == "memory":
            module.declarations += [*attributes, line]
        elif word == "cell":
            kind, name = rest.split()
            cell = Cell(kind, name, attributes)
            _parse_cell(cell, lines)
            module.items.append(cell)
        elif word == "process":
            module.items.append(Process([*attributes, line, *_until_end(lines)]))
        elif word == "connect":
            left, right = split_signals(rest)
            module.assignments.append((left, right))
        elif word:
            raise ValueError(f"the line {line!r} is not RTLIL that Amaranth emits.")
        attributes, source = [], ""


def _parse_wire(rest: str, attributes: list[str], source: str) -> Wire:
    *options, name = rest.split()
    width = int(options[options.index("width") + 1]) if "width" in options else 1
    direction = next((word for word in ("input", "output", "inout") if word in options), "")
    init = next((line.split("'")[1] for line in attributes if " \\init " in line), "")
    return Wire(name, width, direction, init, source)


def _parse_cell(cell: Cell, lines: Iterator[str]) -> None:
    for line in lines:
        word, _, rest = line.strip().partition(" ")
        if word == "end":
            return
        if word == "connect":
            port, _, signal = rest.partition(" ")
            cell.connections[port] = signal
        else:
            cell.parameters.append(line)


def _until_end(lines: Iterator[str]) -> Iterator[str]:
    """The lines up to the end that closes what has begun, with the switches inside it."""
    depth = 1
    while depth:
        line = next(lines)
        word = line.strip().partition(" ")[0]
        depth += (word == "switch") - (word == "end")
        yield line


def split_signals(text: str) -> tuple[str, str]:
    """The two signals of a connection or an assignment."""
    depth, tokens = 0, list(_TOKEN.finditer(text))
    for token, following in pairwise(tokens):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if depth == 0 and following[0][0] != "[":
            return text[: token.end()], text[following.start() :]
    raise ValueError(f"{text!r} is not a pair of signals.")
