"""Row reduction: the sum or the largest of a row of lanes, as a balanced tree."""

from amaranth.hdl import Module, Mux
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.pipeline import delay
from hw.dxe.float_add import FloatAdd
from hw.dxe.float_max import FloatMax
from hw.dxe.floats import FP32


class RowReduce(wiring.Component):
    """Neighbours are added, or the larger of them is taken; then their results, and so on.

    Ports: ``take_max`` In; ``values`` In, float32 a lane; ``result`` Out, float32, on cycle
    `latency`. A row a cycle.

    Args:
        lanes: a power of two, from 2.
    """

    def __init__(self, lanes: int):
        self._lanes = lanes
        super().__init__(
            {
                "take_max": In(1),
                "values": In(data.ArrayLayout(FP32.bits, lanes)),
                "result": Out(FP32.bits),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from a row to its result."""
        return (self._lanes - 1).bit_length() * FloatAdd.latency

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        values, take_max = list(self.values), self.take_max
        level = 0
        while len(values) > 1:
            take_max = delay(m, take_max, FloatAdd.latency, f"take_max_{level}")
            found = []
            for pair, (one, other) in enumerate(zip(values[::2], values[1::2], strict=True)):
                m.submodules[f"add_{level}_{pair}"] = add = FloatAdd()
                m.submodules[f"maximum_{level}_{pair}"] = maximum = FloatMax()
                for unit in (add, maximum):
                    m.d.comb += [unit.one.eq(one), unit.other.eq(other)]
                larger = delay(m, maximum.larger, FloatAdd.latency, f"larger_{level}_{pair}")
                found.append(Mux(take_max, larger, add.total))
            values, level = found, level + 1
        m.d.comb += self.result.eq(values[0])
        return m
