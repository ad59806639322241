"""What holds of anything that keeps a stream's items in order: checks that several tests make."""

import random
from typing import Any

from tb.runner import parameters
from tb.streams import Bench, Sink, Source

ITEMS = 300


def items(seed: int) -> list[int]:
    """Random items as wide as the unit's."""
    pick = random.Random(seed)
    return [pick.getrandbits(parameters()["shape"]) for _ in range(ITEMS)]


async def leaves_after(dut: Any, latency: int) -> None:
    """Items come one a cycle, and each leaves so many cycles after it came."""
    bench = Bench(dut)
    source, sink = Source(bench, "i"), Sink(bench, "o")
    await bench.reset()
    source.put(items(1))
    await sink.wait(ITEMS, limit=2 * ITEMS)
    assert sink.words == items(1)
    came = [cycle for cycle, _ in source.sent]
    assert came == list(range(came[0], came[0] + ITEMS))
    assert [cycle for cycle, _ in sink.taken] == [cycle + latency for cycle in came]


async def keeps_order(dut: Any, stalls: tuple[float, float]) -> None:
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


async def keeps_so_many(dut: Any, depth: int) -> None:
    """While nothing leaves, exactly ``depth`` items come in; then they leave."""
    bench = Bench(dut)
    source = Source(bench, "i")
    blocked = Sink(bench, "o", stall=1.0)
    await bench.reset()
    source.put(items(3))
    await bench.cycles(3 * depth + 10)
    assert len(source.sent) == depth
    assert dut.i__ready.value == 0
    blocked.stop()
    sink = Sink(bench, "o")
    await sink.wait(ITEMS, limit=2 * ITEMS)
    assert sink.words == items(3)


async def forgets_at_reset(dut: Any, most: int) -> None:
    """What was kept before a reset, 1 to ``most`` items, never comes."""
    bench = Bench(dut)
    for kept in range(1, most + 1):
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
