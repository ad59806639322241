"""Cycle counters: each counts its phases, and no others."""

from typing import Any

from amaranth.hdl import Assert, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from formal.proof import Proof
from hw.bus.cycle_counters import CycleCounters
from hw.bus.registers import COUNTERS
from hw.phases import STAGE_PHASES, Phase


class _Properties(wiring.Component):
    """Each counter is compared with what it and the inputs were a cycle before."""

    def __init__(self, unit: Any):
        self._unit = unit()
        super().__init__({"clear": In(1), "phase": In(Phase), "dau_busy": In(1), "reached": Out(2)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        runs = self.phase != Phase.IDLE
        counted = {"total": runs, "dau": runs & self.dau_busy}
        for name, phases in STAGE_PHASES.items():
            counted[name] = Cat(self.phase == phase for phase in phases).any()
        m.d.comb += [
            unit.clear.eq(self.clear),
            unit.phase.eq(self.phase),
            unit.dau_busy.eq(self.dau_busy),
        ]
        after_a_cycle = Signal()
        m.d.sync += after_a_cycle.eq(1)
        for name in COUNTERS:
            counter = getattr(unit, name)
            due = Signal.like(counter, name=f"due_{name}")
            m.d.sync += due.eq(Mux(self.clear, 0, counter + counted[name]))
            m.d.comb += Assert(Mux(after_a_cycle, counter == due, counter == 0))
        m.d.comb += self.reached.eq(Cat(unit.topk == 2, (unit.dau == 1) & self.clear))
        return m


PROOF = Proof(
    CycleCounters,
    "each counter is one more than a cycle before where its phase was on, in all phases but idle"
    " the total, and the DAU's where it worked then; 0 after a reset or a clear",
    _Properties,
    (
        ("with m.If(self.clear):", "with m.If(self.clear & self.dau_busy):"),
        ("m.Elif(self.phase != Phase.IDLE)", "m.Else()"),
        ("self.total + 1", "self.total + self.dau_busy"),
        ("self.dau + self.dau_busy", "self.dau + 1"),
        ("m.Case(*phases)", "m.Case(phases[0])"),
        ("counter.eq(counter + 1)", "counter.eq(counter + 2)"),
    ),
    ("top-k has taken two cycles", "a clear after the DAU has worked"),
)
