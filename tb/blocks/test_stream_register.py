"""The stream register against a plain list: order, room, and the cycles of an item."""

import random
from typing import Any

import cocotb
import pytest

from hw.blocks.stream_register import StreamRegister
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, Source

ITEMS = 300


def items(seed: int) -> list[int]:
    pick = random.Random(seed)
    return [pick.getrandbits(parameters()["shape"]) for _ in range(ITEMS)]


@cocotb.test()
async def an_item_every_cycle(dut: Any) -> None:
    """Each item leaves as many cycles after it came as the latency says."""
    bench = Bench(dut)
    source, sink = Source(bench, "i"), Sink(bench, "o")
    await bench.reset()
    source.put(items(1))
    await sink.wait(ITEMS, limit=2 * ITEMS)
    assert sink.words == items(1)
    came = [cycle for cycle, _ in source.sent]
    assert came == list(range(came[0], came[0] + ITEMS))
    assert [cycle for cycle, _ in sink.taken] == [cycle + StreamRegister.latency for cycle in came]


@cocotb.test()
@cocotb.parametrize(stalls=[(0.6, 0.0), (0.0, 0.6), (0.5, 0.5)])
async def with_stalls(dut: Any, stalls: tuple[float, float]) -> None:
    """Idle cycles on either side: nothing is lost, doubled or swapped."""
    bench = Bench(dut)
    source = Source(bench, "i", stall=stalls[0], seed=1)
    sink = Sink(bench, "o", stall=stalls[1], seed=2)
    await bench.reset()
    source.put(items(2))
    await sink.wait(ITEMS, limit=20 * ITEMS)
    assert sink.words == items(2)
    await bench.cycles(5)
    assert len(sink.taken) == ITEMS


@cocotb.test()
async def ready_is_a_register(dut: Any) -> None:
    """It falls only in the cycle after the second item came that could not leave."""
    bench = Bench(dut)
    source = Source(bench, "i")
    blocked = Sink(bench, "o", stall=1.0)
    await bench.reset()
    source.put(items(3))
    await bench.cycles(10)
    assert len(source.sent) == 2
    assert dut.i__ready.value == 0
    blocked.stop()
    sink = Sink(bench, "o")
    await sink.wait(ITEMS, limit=2 * ITEMS)
    assert sink.words == items(3)


@cocotb.test()
async def reset_empties_it(dut: Any) -> None:
    """What was kept before a reset never comes."""
    bench = Bench(dut)
    for kept in range(1, 3):
        source, blocked = Source(bench, "i"), Sink(bench, "o", stall=1.0)
        await bench.reset()
        source.put(items(4)[:kept])
        await source.drain()
        source.stop()
        blocked.stop()
        await bench.reset()
        again, sink = Source(bench, "i"), Sink(bench, "o")
        again.put(items(5)[:10])
        await sink.wait(10, limit=40)
        assert sink.words == items(5)[:10]
        again.stop()
        sink.stop()


@pytest.mark.parametrize("shape", [1, 37])
def test_stream_register(shape: int) -> None:
    given = {"shape": shape}
    simulate(StreamRegister(**given), __name__, f"stream_register_{shape}", given=given)
