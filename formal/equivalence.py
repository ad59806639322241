"""That two designs with the same ports do the same, for ever: a miter of both, proven.

Registers start as a reset makes them, others and memories at 0, alike in both designs. Then, for
all inputs that keep to the rules of streams, and resets at any time, every output is the same in
both in every cycle. Of a stream the payload that goes out and the ready that answers what comes in
count while it is valid, since nothing else is ever transferred.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import (
    Assert,
    Assume,
    ClockSignal,
    Const,
    Instance,
    Module,
    ResetSignal,
    Signal,
    Value,
)
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In

from formal.proof import Proof
from formal.prover import prove_miter
from formal.streams import keeps_its_offer

_CLOCK = "\\clk\n"


@dataclass(frozen=True)
class Port:
    """A port of a design, which ``comes`` in or goes out."""

    name: str
    width: int
    comes: bool


@dataclass(frozen=True)
class Design:
    """A design in RTLIL, and its ports but clock and reset."""

    text: str
    ports: tuple[Port, ...]

    @property
    def clocked(self) -> bool:
        """Whether it has a clock."""
        return _CLOCK in self.text[: self.text.index("\nend\n")]


def design_of(component: wiring.Component, name: str) -> Design:
    """The design of a component, whose top module is ``name``."""
    ports = dict(_ports(component))
    signals = {port: (value, None) for port, (_, value) in ports.items()}
    return Design(
        rtlil.convert(component, name=name, ports=signals, emit_src=False),
        tuple(Port(port, len(value), comes) for port, (comes, value) in ports.items()),
    )


def _ports(component: wiring.Component) -> Iterator[tuple[str, tuple[bool, Value]]]:
    """(name, (whether it comes in, value)) of the ports that have bits and are not constant."""
    for path, member, value in component.signature.flatten(component):
        signal = Value.cast(value)
        if len(signal) and not isinstance(signal, Const):
            yield "__".join(map(str, path)), (member.flow is wiring.In, signal)


def prove_equal(one: Design, other: Design, seconds: int = 60) -> None:
    """Prove that two designs, made under unlike names ``one`` and ``other``, do the same.

    Raises:
        RefutedError: they can differ.
        UndecidedError: nothing was found in time.
        ValueError: they have not the same ports.
        YosysError: a tool failed.
    """
    if one.ports != other.ports:
        raise ValueError("the designs have not the same ports")
    miter = rtlil.convert(_Miter({"one": one, "other": other}), name="top", emit_src=False)
    prove_miter(miter + one.text + other.text, seconds)


def prove_equal_under(proof: Proof, source: str, seconds: int = 60) -> None:
    """Prove that a unit does what one of another source of its module does, under a proof's rules.

    Raises:
        RefutedError: they can differ, or the proof's claim is false.
        UndecidedError: nothing was found in time.
        YosysError: a tool failed.
    """
    units = (proof.made_of(proof.source), proof.made_of(source))

    def twins(*given: Any) -> _Twins:
        return _Twins(*(unit(*given) for unit in units))

    component = proof.properties(twins)
    prove_miter(rtlil.convert(component, name="top", emit_src=False), seconds)


def _same(
    m: Module, inputs: dict[str, Value], one: dict[str, Value], other: dict[str, Value]
) -> None:
    """Assert that outputs are the same, by their names, where they count."""
    valid = {
        port.removesuffix("valid"): value
        for port, value in {**inputs, **one}.items()
        if port.endswith("__valid")
    }
    for port, value in one.items():
        start, _, last = port.rpartition("__")
        counts = valid.get(f"{start}__", Const(1)) if last in ("payload", "ready") else Const(1)
        m.d.comb += Assert(~counts | (value == other[port]))


class _Twins(wiring.Component):
    """A unit and its other form with the same inputs; it stands for the unit."""

    def __init__(self, one: Any, other: Any):
        self._units = one, other
        super().__init__(one.signature)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules += self._units
        ports = dict(_ports(self))
        inside = [dict(_ports(unit)) for unit in self._units]
        inputs = {name: value for name, (comes, value) in ports.items() if comes}
        outputs = [{name: unit[name][1] for name in ports if name not in inputs} for unit in inside]
        for name, (_, value) in ports.items():
            if name in inputs:
                m.d.comb += [unit[name][1].eq(value) for unit in inside]
            else:
                m.d.comb += value.eq(outputs[0][name])
        _same(m, inputs, *outputs)
        return m


class _Miter(wiring.Component):
    """Two designs with the same inputs, and assertions that their outputs are the same."""

    def __init__(self, designs: dict[str, Design]):
        self._designs = designs
        self._ports = designs["one"].ports
        super().__init__({port.name: In(port.width) for port in self._ports if port.comes})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        inputs = {port.name: getattr(self, port.name) for port in self._ports if port.comes}
        outputs: list[dict[str, Value]] = []
        for name, design in self._designs.items():
            made = {
                port.name: Signal(port.width, name=f"{name}_{port.name}")
                for port in self._ports
                if not port.comes
            }
            clocking = {"i_clk": ClockSignal(), "i_rst": ResetSignal()} if design.clocked else {}
            m.submodules[name] = Instance(
                name,
                **clocking,
                **{f"i_{port}": value for port, value in inputs.items()},
                **{f"o_{port}": signal for port, signal in made.items()},
            )
            outputs.append(made)
        running = Signal()  # The prover wants a clock, also of what has none.
        m.d.sync += running.eq(1)
        _same(m, inputs, *outputs)
        for port, payload in inputs.items():
            start, _, last = port.rpartition("__")
            if last == "payload" and f"{start}__ready" in outputs[0]:
                offer = stream.Signature(len(payload)).create(path=(start,))
                m.d.comb += [
                    offer.payload.eq(payload),
                    offer.valid.eq(inputs[f"{start}__valid"]),
                    offer.ready.eq(outputs[0][f"{start}__ready"]),
                ]
                keeps_its_offer(m, offer, Assume)
        return m
