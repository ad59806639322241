"""Lookup mux: whose index the table sees."""

from typing import Any

from amaranth.hdl import Assert, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from formal.proof import Proof
from hw.blocks.lookup import Lookup
from hw.blocks.lookup_mux import LookupMux

_ASKERS = 3
_LOOKUP = Lookup(4, 4)


class _Properties(wiring.Component):
    """All ports are free, and so is who is selected."""

    def __init__(self, unit: Any):
        self._unit = unit(_LOOKUP, _ASKERS)
        super().__init__(
            {
                "select": In(range(_ASKERS)),
                "asker": In(_LOOKUP).array(_ASKERS),
                "table": Out(_LOOKUP),
                "reached": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        wiring.connect(m, wiring.flipped(self.table), unit.table)
        m.d.comb += unit.select.eq(self.select)
        for number in range(_ASKERS):
            asker = unit.asker[number]
            wiring.connect(m, wiring.flipped(self.asker[number]), asker)
            m.d.comb += [
                Assert((self.select != number) | (unit.table.index == asker.index)),
                Assert(asker.entry == unit.table.entry),
            ]
        m.d.comb += self.reached.eq((self.select == _ASKERS - 1) & (unit.table.index == 1))
        return m


PROOF = Proof(
    LookupMux,
    f"the table sees the index of the selected one of {_ASKERS} askers; all see its answer",
    _Properties,
    (
        ("m.Case(number)", "m.Case(number ^ 1)"),
        ("self.asker[number].index", "self.asker[0].index"),
        (
            "self.asker[number].entry.eq(self.table.entry)",
            "self.asker[0].entry.eq(self.table.entry)",
        ),
    ),
    ("the last asker asks",),
)
