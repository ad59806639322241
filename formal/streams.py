"""What streams promise, as assumptions about those that come and assertions about those that go."""

from collections.abc import Callable
from typing import Any

from amaranth.hdl import Assert, Module, Signal, Value


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
