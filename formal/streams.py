"""What streams promise, as assumptions about those that come and assertions about those that go."""

from collections.abc import Callable
from typing import Any

from amaranth.hdl import Assert, Assume, Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


def as_stream(m: Module, valid: Value, ready: Value, payload: Value) -> Any:
    """A channel of a bus, or a part of it, as a stream."""
    port = stream.Signature(len(payload)).create()
    m.d.comb += [port.valid.eq(valid), port.ready.eq(ready), port.payload.eq(payload)]
    return port


def comes_in(m: Module, outside: Any, port: Any) -> None:
    """Connect a stream of the properties to one that the unit takes; it keeps its offers."""
    wiring.connect(m, wiring.flipped(outside), port)
    keeps_its_offer(m, port, Assume)


def goes_out(m: Module, port: Any, outside: Any) -> None:
    """Connect a stream that the unit gives to one of the properties; it has to keep its offers."""
    wiring.connect(m, port, wiring.flipped(outside))
    keeps_its_offer(m, port, Assert)


def keeps_its_offer(m: Module, port: Any, rule: Callable[[Value], Any]) -> None:
    """Once valid, a stream keeps valid and payload until it is taken or a reset comes.

    Args:
        m: of the properties.
        port: the stream.
        rule: Assume of one that comes, Assert of one that goes.
    """
    payload = Value.cast(port.payload)
    before, waits = Signal.like(payload, name="before"), Signal(name="waits")
    m.d.sync += [before.eq(payload), waits.eq(port.valid & ~port.ready)]
    with m.If(waits):
        m.d.comb += [rule(port.valid), rule(payload == before)]


def leaves_in_order(m: Module, source: Any, sink: Any, pick: Value, most: int) -> Signal:
    """Items leave as they came: each once, unchanged, in order; never more than ``most`` inside.

    One item at a time, any, is followed: one that comes as ``pick`` is 1. Its payload is kept, and
    how many items are ahead of it. That they leave at all is not said here.

    Returns:
        How many are inside.
    """
    came, left = source.valid & source.ready, sink.valid & sink.ready
    payload = Value.cast(source.payload)
    inside, ahead = Signal(range(most + 2)), Signal(range(most + 2))
    kept, followed = Signal.like(payload, name="kept"), Signal()
    m.d.sync += inside.eq(inside + came - left)
    m.d.comb += [Assert(inside <= most), Assert(~sink.valid | (inside != 0))]
    with m.If(came & pick & ~followed):
        m.d.sync += [followed.eq(1), kept.eq(payload), ahead.eq(inside - left)]
    with m.If(followed):
        with m.If(sink.valid & (ahead == 0)):
            m.d.comb += Assert(Value.cast(sink.payload) == kept)
        with m.If(left):
            m.d.sync += [ahead.eq(ahead - 1), followed.eq(ahead != 0)]
    return inside


def offers_in_time(m: Module, sink: Any, inside: Value, delay: int) -> None:
    """While something is inside, the first item is offered ``delay`` cycles later at the latest."""
    waited = Signal(range(delay + 1))
    waits = (inside != 0) & ~sink.valid
    with m.If(waits & (waited != delay)):
        m.d.sync += waited.eq(waited + 1)
    with m.If(~waits):
        m.d.sync += waited.eq(0)
    m.d.comb += Assert(~waits | (waited != delay))


class Passes(wiring.Component):
    """A unit of streams ``i`` and ``o`` of 3 bits that holds at most so many items.

    Args:
        unit: it.
        most: items inside.
        delay: cycles from the one in which an item has come to the first in which it is offered.
        spare: places that it may refuse an item in spite of.
    """

    def __init__(self, unit: Any, most: int, delay: int, spare: int = 0):
        self._unit = unit
        self._most, self._delay, self._spare = most, delay, spare
        signature = stream.Signature(3)
        super().__init__(
            {"i": In(signature), "o": Out(signature), "pick": In(1), "reached": Out(2)}
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        m.submodules.unit = unit = self._unit
        comes_in(m, self.i, unit.i)
        goes_out(m, unit.o, self.o)
        inside = leaves_in_order(m, unit.i, unit.o, self.pick, self._most)
        offers_in_time(m, unit.o, inside, self._delay)
        m.d.comb += [
            Assert(unit.i.ready | (inside + self._spare >= self._most)),
            self.reached.eq(Cat(inside == self._most, unit.o.valid & ~unit.o.ready & unit.i.valid)),
        ]
        return m
