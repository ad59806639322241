"""The stream queue against a plain list: order, room, and the cycles of an item."""

import random
from itertools import pairwise

import cocotb
import pytest

from hw.blocks.stream_queue import StreamQueue
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, Source

CONFIGS = {
    "deep": {"shape": 37, "depth": 32},
    "three": {"shape": 2, "depth": 3},
}
ITEMS = 300


def items(seed: int) -> list[int]:
    pick = random.Random(seed)
    return [pick.getrandbits(parameters()["shape"]) for _ in range(ITEMS)]


@cocotb.test()
async def an_item_every_cycle(dut: object) -> None:
    """Into an empty queue, each item leaves 2 cycles after it came."""
    bench = Bench(dut)
    source, sink = Source(bench, "i"), Sink(bench, "o")
    await bench.reset()
    source.put(items(1))
    await sink.wait(ITEMS, limit=2 * ITEMS)
    assert sink.words == items(1)
    assert all(later - earlier == 1 for earlier, later in pairwise(c for c, _ in source.sent))
    assert [cycle for cycle, _ in sink.taken] == [cycle + 2 for cycle, _ in source.sent]


@cocotb.test()
@cocotb.parametrize(stalls=[(0.6, 0.0), (0.0, 0.6), (0.5, 0.5)])
async def with_stalls(dut: object, stalls: tuple[float, float]) -> None:
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
async def keeps_depth_items(dut: object) -> None:
    """While nothing leaves, exactly ``depth`` items come in."""
    depth = parameters()["depth"]
    bench = Bench(dut)
    source = Source(bench, "i")
    blocked = Sink(bench, "o", stall=1.0)
    await bench.reset()
    source.put(items(3))
    await bench.cycles(3 * depth + 10)
    assert len(source.sent) == depth
    blocked.stop()
    sink = Sink(bench, "o")
    await sink.wait(ITEMS, limit=2 * ITEMS)
    assert sink.words == items(3)


@cocotb.test()
async def reset_empties_it(dut: object) -> None:
    """What was kept before a reset never comes."""
    bench = Bench(dut)
    for kept in range(1, 4):
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


@pytest.mark.parametrize("name", CONFIGS)
def test_stream_queue(name: str) -> None:
    given = CONFIGS[name]
    simulate(StreamQueue(**given), __name__, f"stream_queue_{name}", given=given)
