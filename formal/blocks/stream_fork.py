"""Stream fork: every taker takes every item, once."""

from typing import Any

from amaranth.hdl import Assert, Assume, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from formal.proof import Proof
from formal.streams import keeps_its_offer
from hw.blocks.stream_fork import StreamFork

_TAKERS = 3


class _Properties(wiring.Component):
    """Who has taken the present item is told apart from the unit's own note of it."""

    def __init__(self, unit: Any):
        self._unit = unit(2, _TAKERS)
        signature = stream.Signature(2)
        super().__init__({"i": In(signature), "o": Out(signature).array(_TAKERS)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        wiring.connect(m, wiring.flipped(self.i), unit.i)
        keeps_its_offer(m, unit.i, Assume)
        leaves = unit.i.valid & unit.i.ready
        for number in range(_TAKERS):
            taker = unit.o[number]
            wiring.connect(m, taker, wiring.flipped(self.o[number]))
            keeps_its_offer(m, taker, Assert)
            has = Signal(name=f"has_{number}")
            takes = taker.valid & taker.ready
            m.d.sync += has.eq(~leaves & (has | takes))
            m.d.comb += [
                Assert(taker.valid == (unit.i.valid & ~has)),
                Assert(~taker.valid | (taker.payload == unit.i.payload)),
                Assert(~leaves | has | takes),
            ]
        return m


PROOF = Proof(
    StreamFork,
    f"each of {_TAKERS} takers takes every item once and unchanged, and none leaves before",
    _Properties,
    (
        ("settled.all()", "settled.any()"),
        ("self.i.valid & ~taken[taker]", "self.i.valid"),
        ("Mux(self.i.ready, 0, settled)", "settled"),
        ("with m.If(self.i.valid):", "with m.If(1):"),
    ),
)
