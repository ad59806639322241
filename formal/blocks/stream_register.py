"""Stream register: items pass in order, and no offer is withdrawn."""

from typing import Any

from amaranth.hdl import Assert, Assume, Cat, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from formal.proof import Proof
from formal.streams import keeps_its_offer, leaves_in_order, offers_in_time
from hw.blocks.stream_register import StreamRegister


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
        wiring.connect(m, wiring.flipped(self.i), unit.i)
        wiring.connect(m, unit.o, wiring.flipped(self.o))
        keeps_its_offer(m, unit.i, Assume)
        keeps_its_offer(m, unit.o, Assert)
        inside = leaves_in_order(m, unit.i, unit.o, self.pick, self._most)
        offers_in_time(m, unit.o, inside, self._delay)
        m.d.comb += [
            Assert(unit.i.ready | (inside + self._spare >= self._most)),
            self.reached.eq(Cat(inside == self._most, unit.o.valid & ~unit.o.ready & unit.i.valid)),
        ]
        return m


PROOF = Proof(
    StreamRegister,
    "items pass in order and unchanged; the first is offered, and there is room for two; offers"
    " stay",
    lambda unit: Passes(unit(3), 2, 0),
    (
        ("kept.eq(self.i.valid)", "kept.eq(0)"),
        ("m.Elif(~kept)", "m.Else()"),
        ("second.eq(self.i.payload)", "second.eq(self.o.payload)"),
        ("self.i.valid | kept", "self.i.valid"),
        ("~self.o.valid | self.o.ready", "self.o.ready | ~self.i.valid"),
        ("~self.o.valid | self.o.ready", "self.o.ready"),
        ("with m.If(~self.o.valid | self.o.ready)", "with m.If(1)"),
        ("with m.If(~self.o.valid | self.o.ready)", "with m.If(0)"),
        ("self.i.ready.eq(~kept)", "self.i.ready.eq(1)"),
        ("self.i.ready.eq(~kept)", "self.i.ready.eq(0)"),
    ),
    ("two items inside", "an item waits behind another"),
)
