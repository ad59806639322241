"""Credit queue: what was started under its room always finds a place."""

from typing import Any

from amaranth.hdl import Assert, Assume, Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from formal.proof import Proof
from formal.streams import goes_out, leaves_in_order, offers_in_time
from hw.blocks.credit_queue import CreditQueue

_DEPTH = 4


class _Properties(wiring.Component):
    """Items are started where there is room, and come in any later cycle."""

    def __init__(self, unit: Any):
        self._unit = unit(3, _DEPTH)
        super().__init__(
            {
                "take": In(1),
                "comes": In(1),
                "item": In(3),
                "o": Out(stream.Signature(3)),
                "pick": In(1),
                "reached": Out(2),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        goes_out(m, unit.o, self.o)
        left = unit.o.valid & unit.o.ready
        started, held = Signal(range(_DEPTH + 2)), Signal(range(_DEPTH + 2))
        m.d.sync += [
            started.eq(started + self.take - unit.i.valid), held.eq(held + self.take - left),
        ]  # fmt: skip
        m.d.comb += [
            unit.take.eq(self.take),
            unit.i.valid.eq(self.comes),
            unit.i.payload.eq(self.item),
            Assume(~self.take | unit.room),
            Assume(~unit.i.valid | (started != 0)),
            Assert(unit.room == (held < _DEPTH)),
        ]
        inside = leaves_in_order(m, unit.i, unit.o, self.pick, _DEPTH)
        offers_in_time(m, unit.o, inside, 1)
        m.d.comb += self.reached.eq(Cat(inside == _DEPTH, (started == _DEPTH) & unit.i.valid))
        return m


PROOF = Proof(
    CreditQueue,
    f"what was started under its room is offered, in order and unchanged, within two cycles of its"
    f" coming; room as long as fewer than its depth, {_DEPTH}, are started or inside; offers stay",
    _Properties,
    (
        ("taken != self._depth", "taken != self._depth + 1"),
        ("+ self.take -", "+ self.i.valid -"),
        ("- (self.o.valid & self.o.ready)", "- self.o.ready"),
        ("- (self.o.valid & self.o.ready)", "- self.o.valid"),
        ("queue.i.valid.eq(self.i.valid)", "queue.i.valid.eq(0)"),
        ("queue.i.valid.eq(self.i.valid)", "queue.i.valid.eq(self.i.valid & ~self.take)"),
        ("queue.i.valid.eq(self.i.valid)", "queue.i.valid.eq(1)"),
        ("queue.i.payload.eq(self.i.payload)", "queue.i.payload.eq(self.i.payload ^ self.take)"),
    ),
    ("full", "all places started and none filled"),
)
