"""Stream register: items pass in order, and no offer is withdrawn."""

from typing import Any

from amaranth.hdl import Assert, Assume, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from formal.proof import Proof
from formal.streams import keeps_its_offer, leaves_in_order
from hw.blocks.stream_register import StreamRegister


class Passes(wiring.Component):
    """A unit of streams ``i`` and ``o`` of 3 bits that holds at most so many items."""

    def __init__(self, unit: Any, most: int):
        self._unit = unit
        self._most = most
        signature = stream.Signature(3)
        super().__init__({"i": In(signature), "o": Out(signature), "pick": In(1)})

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        m.submodules.unit = unit = self._unit
        wiring.connect(m, wiring.flipped(self.i), unit.i)
        wiring.connect(m, unit.o, wiring.flipped(self.o))
        keeps_its_offer(m, unit.i, Assume)
        keeps_its_offer(m, unit.o, Assert)
        leaves_in_order(m, unit.i, unit.o, self.pick, self._most)
        return m


PROOF = Proof(
    StreamRegister,
    "items pass in order and unchanged, at most two inside; offers stay",
    lambda unit: Passes(unit(3), 2),
    (
        ("kept.eq(self.i.valid)", "kept.eq(0)"),
        ("m.Elif(~kept)", "m.Else()"),
        ("second.eq(self.i.payload)", "second.eq(self.o.payload)"),
        ("self.i.valid | kept", "self.i.valid"),
        ("~self.o.valid | self.o.ready", "self.o.ready | ~self.i.valid"),
    ),
)
