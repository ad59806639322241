"""Row reduction: the sum or the largest of a row of lanes, as a balanced tree."""

from amaranth.hdl import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.pipeline import delay
from hw.dxe.float_combine import FloatCombine
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
        return (self._lanes - 1).bit_length() * FloatCombine.latency

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        values, take_max = list(self.values), self.take_max
        level = 0
        while len(values) > 1:
            found = []
            for pair, (one, other) in enumerate(zip(values[::2], values[1::2], strict=True)):
                m.submodules[f"combine_{level}_{pair}"] = combine = FloatCombine()
                m.d.comb += [
                    combine.take_max.eq(take_max),
                    combine.one.eq(one),
                    combine.other.eq(other),
                ]
                found.append(combine.result)
            take_max = delay(m, take_max, FloatCombine.latency, f"take_max_{level}")
            values, level = found, level + 1
        m.d.comb += self.result.eq(values[0])
        return m
