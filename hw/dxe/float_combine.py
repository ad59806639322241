"""Float combination: the sum of two float32, or the larger of them."""

from amaranth.hdl import Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.pipeline import delay
from hw.dxe.float_add import FloatAdd
from hw.dxe.float_max import FloatMax
from hw.dxe.floats import FP32


class FloatCombine(wiring.Component):
    """``one + other``, or the larger of them, as `FloatAdd` and `FloatMax` have them.

    Ports: ``take_max`` In: the larger; ``one``, ``other`` In, ``result`` Out, float32, on cycle
    `latency`. One a cycle.
    """

    latency = FloatAdd.latency

    def __init__(self) -> None:
        super().__init__(
            {
                "take_max": In(1),
                "one": In(FP32.bits),
                "other": In(FP32.bits),
                "result": Out(FP32.bits),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        m.submodules.add = add = FloatAdd()
        m.submodules.maximum = maximum = FloatMax()
        for unit in (add, maximum):
            m.d.comb += [unit.one.eq(self.one), unit.other.eq(self.other)]
        larger = delay(m, maximum.larger, self.latency, "larger")
        take_max = delay(m, self.take_max, self.latency, "take_max")
        m.d.comb += self.result.eq(Mux(take_max, larger, add.total))
        return m
