"""The credit queue behind a pipeline: nothing lost or reordered, full rate where promised."""

from typing import Any

import cocotb
import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.credit_queue import CreditQueue
from hw.blocks.pipeline import delay
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, Source

COUNT = 200


class Pipeline(wiring.Component):
    """A pipeline of bare registers that ends in a credit queue."""

    def __init__(self, stages: int, depth: int):
        self._stages = stages
        self._queue = CreditQueue(8, depth)
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.queue = queue = self._queue
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        m.d.comb += [
            self.i.ready.eq(queue.room),
            queue.take.eq(self.i.valid & queue.room),
            queue.i.valid.eq(delay(m, queue.take, self._stages, "valid")),
            queue.i.payload.eq(delay(m, self.i.payload, self._stages, "payload")),
        ]
        return m


async def run(dut: Any, stall_in: float, stall_out: float) -> list[int]:
    """Send items through; the cycles in which they left."""
    bench = Bench(dut)
    source = Source(bench, "i", stall=stall_in, seed=1)
    sink = Sink(bench, "o", stall=stall_out, seed=2)
    await bench.reset()
    items = [(37 * i + 11) % 256 for i in range(COUNT)]
    source.put(items)
    assert await sink.wait(COUNT, limit=10_000) == items
    source.stop()
    sink.stop()
    return [cycle for cycle, _ in sink.taken]


@cocotb.test()
async def full_rate(dut: object) -> None:
    """The least depth sustains an item a cycle; one place less does not."""
    cycles = await run(dut, 0.0, 0.0)
    span = cycles[-1] - cycles[0] + 1
    assert (span == COUNT) == parameters()["sustained"]


@cocotb.test()
async def with_stalls(dut: object) -> None:
    """A sink that hardly takes anything, and gaps in the items."""
    await run(dut, 0.0, 0.9)
    await run(dut, 0.5, 0.5)


@pytest.mark.parametrize("short", [0, 1])
@pytest.mark.parametrize("stages", [3, 11])
def test_credit_queue(stages: int, short: int) -> None:
    depth = CreditQueue.depth_for(stages) - short
    simulate(
        Pipeline(stages, depth), __name__, f"credit_queue_{stages}_{short}",
        given={"sustained": short == 0},
    )  # fmt: skip
