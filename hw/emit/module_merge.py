"""Merges structurally identical modules, so that a design holds each of them once.

Amaranth writes every instance as a module of its own. Two modules are merged where they hold the
same cells and processes, in the same order, connected in the same way, bit for bit. Names do not
count, and neither does how bits are grouped into ports: where neighbouring lanes of a bus enter an
instance, Amaranth joins them into one port, and elsewhere it does not.

Which instances are alike is found from the leaves up: where two children were merged, their parents
name the same child and can be merged in turn.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hw.emit.rtlil import Bit, Cell, Place, RtlilModule, signal_text, split_signals


@dataclass(frozen=True)
class _Shape:
    """What a module is, whatever its names: two modules of one digest can stand for each other.

    ``places`` lists for each input and each output net the bits of ports that carry it.
    """

    digest: str
    places: dict[tuple[str, str], list[Place]]


def merge_modules(design: Sequence[RtlilModule]) -> list[RtlilModule]:
    """The same design with each structurally different module once; its cells are rewired.

    The first of several alike stays, under its name. Ports of the top module do not change.
    """
    modules = {module.name: module for module in design}
    shapes: dict[str, _Shape] = {}
    kept: dict[str, str] = {}
    stands_for: dict[str, str] = {}
    for name in _children_first(modules):
        module = modules[name]
        for cell in module.cells:
            if cell.kind in stands_for:
                _rewire(module, cell, modules, shapes, stands_for[cell.kind])
        shapes[name] = _shape(module)
        first = kept.setdefault(shapes[name].digest, name)
        if first != name:
            stands_for[name] = first
    return [module for name, module in modules.items() if name not in stands_for]


def _children_first(modules: dict[str, RtlilModule]) -> Iterator[str]:
    """Names of modules, each after those that it instantiates."""
    done: set[str] = set()

    def visit(name: str) -> Iterator[str]:
        if name in done:
            return
        done.add(name)
        for cell in modules[name].cells:
            if cell.kind in modules:
                yield from visit(cell.kind)
        yield name

    for name in modules:
        yield from visit(name)


class _Nets:
    """Numbers the nets of a module in the order in which they are met."""

    def __init__(self, module: RtlilModule) -> None:
        self._module = module
        self._numbers: dict[Bit, str] = {}
        self._driver: dict[Bit, Bit] = {}
        for left, right in module.assignments:
            self._driver.update(zip(module.bits(left), module.bits(right), strict=True))

    def root(self, bit: Bit) -> Bit:
        """The bit that drives ``bit`` through assignments: itself, if none does."""
        while bit in self._driver:
            bit = self._driver[bit]
        return bit

    def number(self, bit: Bit) -> str:
        """Number of the bit's net, a new one where it is met first; constants are themselves."""
        bit = self.root(bit)
        return (
            bit if isinstance(bit, str) else self._numbers.setdefault(bit, f"n{len(self._numbers)}")
        )

    def known(self, bit: Bit) -> str | None:
        """The same, but None for a net that was never met."""
        bit = self.root(bit)
        return bit if isinstance(bit, str) else self._numbers.get(bit)

    def signal(self, text: str) -> str:
        """A signal as the numbers of its nets."""
        return ",".join(self.number(bit) for bit in self._module.bits(text))


def _shape(module: RtlilModule) -> _Shape:
    nets = _Nets(module)
    digest = hashlib.sha256()
    for line in _nameless(module, nets):
        digest.update(line.encode() + b"\n")
    # Outputs first: a net that only passes through from an input to them has no number before.
    places: dict[tuple[str, str], list[Place]] = defaultdict(list)
    for port in sorted(module.ports, key=lambda port: port.direction != "output"):
        for bit in port.places:
            number = nets.number(bit) if port.direction == "output" else nets.known(bit)
            if number is not None:
                places[port.direction, number].append(bit)
    for (direction, number), bits in sorted(places.items()):
        digest.update(f"{direction} {number} {len(bits)}\n".encode())
    for wire in module.wires.values():
        for bit, init in zip(wire.places, reversed(wire.init), strict=False):
            digest.update(f"init {nets.known(bit)} {init}\n".encode())
    return _Shape(digest.hexdigest(), dict(places))


def _nameless(module: RtlilModule, nets: _Nets) -> Iterator[str]:
    """Lines that say what a module holds, with numbers in place of names."""
    memories: dict[str, str] = {}
    for line in module.declarations:
        if line.lstrip().startswith("memory"):
            *size, name = line.split()
            memories[f'"\\{name}"'] = f"memory{len(memories)}"
            yield " ".join(size)
    for item in module.items:
        if isinstance(item, Cell):
            yield f"cell {item.kind}"
            for line in item.parameters:
                parameter, _, value = line.rpartition(" ")
                yield f"{parameter} {memories.get(value, value)}"
            for port, signal in sorted(item.connections.items()):
                yield f"{port} {nets.signal(signal)}"
            continue
        for line in item.text:
            word, _, rest = line.strip().partition(" ")
            if word == "assign":
                left, right = split_signals(rest)
                yield f"assign {nets.signal(left)} {nets.signal(right)}"
            elif word == "switch":
                yield f"switch {nets.signal(rest)}"
            elif word != "process":
                yield f"{word} {rest}"


def _rewire(
    module: RtlilModule,
    cell: Cell,
    modules: dict[str, RtlilModule],
    shapes: dict[str, _Shape],
    kind: str,
) -> None:
    """Make ``cell`` an instance of ``kind``, which is of the same shape as its present one."""
    outside: dict[Place, Bit] = {}
    for name, signal in cell.connections.items():
        outside.update(((name, index), bit) for index, bit in enumerate(module.bits(signal)))
    carried: dict[Place, Bit] = {}
    for net, places in shapes[kind].places.items():
        for place, old in zip(places, shapes[cell.kind].places[net], strict=True):
            if old in outside:
                carried[place] = outside[old]
    # What the old ports did not carry: an input that nothing reads gets 0, an output no net.
    connections = {}
    for port in modules[kind].ports:
        known = [place in carried for place in port.places]
        if port.direction != "input" and not all(known):
            if any(known):
                raise ValueError(f"{cell.name} leaves a part of output {port.name} unconnected.")
            continue
        connections[port.name] = signal_text([carried.get(place, "0") for place in port.places])
    cell.connections = connections
    cell.kind = kind
