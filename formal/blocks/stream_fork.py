"""Stream fork: every taker takes every item, once."""

from typing import Any

from amaranth.hdl import Assert, Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from formal.proof import Proof
from formal.streams import comes_in, goes_out
from hw.blocks.stream_fork import StreamFork

_TAKERS = 3


class _Properties(wiring.Component):
    """Who has taken the present item is told apart from the unit's own note of it."""

    def __init__(self, unit: Any):
        self._unit = unit(2, _TAKERS)
        signature = stream.Signature(2)
        super().__init__(
            {"i": In(signature), "o": Out(signature).array(_TAKERS), "reached": Out(2)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        comes_in(m, self.i, unit.i)
        leaves = unit.i.valid & unit.i.ready
        all_have, settled = [], []
        for number in range(_TAKERS):
            taker = unit.o[number]
            goes_out(m, taker, self.o[number])
            has = Signal(name=f"has_{number}")
            takes = taker.valid & taker.ready
            m.d.sync += has.eq(~leaves & (has | takes))
            m.d.comb += [
                Assert(taker.valid == (unit.i.valid & ~has)),
                Assert(~taker.valid | (taker.payload == unit.i.payload)),
            ]
            all_have.append(has)
            settled.append(has | takes)
        m.d.comb += [
            Assert(leaves == (unit.i.valid & Cat(settled).all())),
            self.reached.eq(Cat(leaves & Cat(all_have).any(), leaves & ~Cat(all_have).any())),
        ]
        return m


PROOF = Proof(
    StreamFork,
    f"each of {_TAKERS} takers is offered every item until it takes it, once and unchanged; an"
    " item leaves with its last taker; offers stay",
    _Properties,
    (
        ("settled.all()", "settled.any()"),
        ("self.i.valid & ~taken[taker]", "self.i.valid"),
        ("Mux(self.i.ready, 0, settled)", "settled"),
        ("with m.If(self.i.valid):", "with m.If(1):"),
        ("settled.all()", "(settled.all() & self.o[0].ready)"),
        ("settled.all()", "(settled & 0).any()"),
        ("self.o[taker].payload.eq(self.i.payload)", "self.o[taker].payload.eq(taken)"),
    ),
    ("takers take one after another", "all take at once"),
)
