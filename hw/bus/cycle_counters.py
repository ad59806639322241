"""Cycle counters: how long each stage of a job took."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.bus.registers import COUNTER_BITS, COUNTERS
from hw.phases import STAGE_PHASES, Phase


class CycleCounters(wiring.Component):
    """Counts the cycles of a job in all, of each stage, and those in which the DAU works.

    Ports: ``clear`` In pulse, at a job's start; ``phase`` In; ``dau_busy`` In; a member for each of
    the registers' `COUNTERS` Out, which includes a cycle from the next on.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "clear": In(1),
                "phase": In(Phase),
                "dau_busy": In(1),
                **{name: Out(COUNTER_BITS) for name in COUNTERS},
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        with m.If(self.clear):
            for name in COUNTERS:
                m.d.sync += getattr(self, name).eq(0)
        with m.Elif(self.phase != Phase.IDLE):
            m.d.sync += self.total.eq(self.total + 1)
            m.d.sync += self.dau.eq(self.dau + self.dau_busy)
            with m.Switch(self.phase):
                for name, phases in STAGE_PHASES.items():
                    with m.Case(*phases):
                        counter = getattr(self, name)
                        m.d.sync += counter.eq(counter + 1)
        return m
