"""Lookup mux: askers that take turns at a table."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.lookup import Lookup


class LookupMux(wiring.Component):
    """The table sees the index of the asker that ``select`` names; all of them see its answer.

    Ports: ``select`` In; ``asker`` [n] In and ``table`` Out of the lookup. Combinational.
    """

    def __init__(self, lookup: Lookup, askers: int):
        self._askers = askers
        super().__init__(
            {
                "select": In(range(askers)),
                "asker": In(lookup).array(askers),
                "table": Out(lookup),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        with m.Switch(self.select):
            for number in range(self._askers):
                with m.Case(number):
                    m.d.comb += self.table.index.eq(self.asker[number].index)
        for number in range(self._askers):
            m.d.comb += self.asker[number].entry.eq(self.table.entry)
        return m
