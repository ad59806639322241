"""Cycle counters: how long each stage of a job took."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.bus.registers import COUNTER_BITS
from hw.sequencer import Phase

STAGE_PHASES: dict[str, tuple[Any, ...]] = {
    "quantize": (Phase.DERIVE, Phase.QUANTIZE, Phase.SORT_CHANNELS),
    "init": (Phase.INIT,),
    "pack": (Phase.PACK,),
    "pair": (Phase.PAIR, Phase.CONVERGE),
    "update": (Phase.UPDATE,),
    "topk": (Phase.TOPK, Phase.REPORT_DST, Phase.REPORT_HISTORY),
}
"""The phases that each stage's counter counts."""


class CycleCounters(wiring.Component):
    """Counts the cycles of a job in all, of each stage, and those in which the DAU works.

    Ports: ``clear`` In pulse, at a job's start; ``phase`` In; ``dau_busy`` In; ``total``, ``dau``
    and a member for each of `STAGE_PHASES` Out, 48 bits, which include a cycle from the next on.
    """

    def __init__(self) -> None:
        counters = ("total", "dau", *STAGE_PHASES)
        super().__init__(
            {
                "clear": In(1),
                "phase": In(Phase),
                "dau_busy": In(1),
                **{name: Out(COUNTER_BITS) for name in counters},
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        with m.If(self.clear):
            for name in ("total", "dau", *STAGE_PHASES):
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
