"""The stream fork: every taker gets every item once and in order, each as soon as it can."""

import random

import cocotb
import pytest

from hw.blocks.stream_fork import StreamFork
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, Source

CONFIGS = {
    "two": {"shape": 17, "takers": 2},
    "three": {"shape": 32, "takers": 3},
}
ITEMS = 200


class Rig:
    """A source before the fork, and a sink for each taker."""

    def __init__(self, bench: Bench, stalls: list[float], *, source_stall: float = 0.0):
        self.bench = bench
        self.dut = bench.dut
        self.source = Source(bench, "i", stall=source_stall, seed=1)
        self.sinks = [
            Sink(bench, f"o__{taker}", stall=stall, seed=2) for taker, stall in enumerate(stalls)
        ]

    async def run(self, seed: int) -> list[int]:
        """Send items to all, and a while after; the cycle in which each left ``i``."""
        given = items(seed)
        self.source.put(given)
        for sink in self.sinks:
            await sink.wait(len(given), limit=40 * ITEMS)
        await self.bench.cycles(5)
        assert [sink.words for sink in self.sinks] == [given] * len(self.sinks)
        return [cycle for cycle, _ in self.source.sent]

    @property
    def taken(self) -> list[list[int]]:
        """The cycles in which each taker took its items."""
        return [[cycle for cycle, _ in sink.taken] for sink in self.sinks]

    def stop(self) -> None:
        """Stop all, as on a reset."""
        self.source.stop()
        for sink in self.sinks:
            sink.stop()


def items(seed: int, count: int = ITEMS) -> list[int]:
    """Random items, no two alike, so that one that comes twice is seen."""
    return random.Random(seed).sample(range(1 << parameters()["shape"]), count)


@cocotb.test()
async def an_item_every_cycle(dut: object) -> None:
    """Where all are ready, an item goes to all of them in the cycle in which it is offered."""
    assert StreamFork.latency == 0
    rig = Rig(Bench(dut), [0.0] * parameters()["takers"])
    await rig.bench.reset()
    sent = await rig.run(1)
    assert sent == list(range(sent[0], sent[0] + ITEMS))
    assert rig.taken == [sent] * len(rig.sinks)


@cocotb.test()
@cocotb.parametrize(source_stall=[0.0, 0.5], stall=[0.2, 0.7])
async def with_stalls(dut: object, source_stall: float, stall: float) -> None:
    """Takers that stall each in its own way: an item leaves with the last of them."""
    rig = Rig(Bench(dut), [stall] * parameters()["takers"], source_stall=source_stall)
    await rig.bench.reset()
    sent = await rig.run(2)
    assert sent == [max(cycles) for cycles in zip(*rig.taken, strict=True)]
    # Each taker was at times the one that all waited for, and at times alone the first.
    for end in (min, max):
        alone = {
            cycles.index(end(cycles))
            for cycles in zip(*rig.taken, strict=True)
            if cycles.count(end(cycles)) == 1
        }
        assert alone == set(range(len(rig.sinks)))


@cocotb.test()
async def the_quick_wait_for_no_other(dut: object) -> None:
    """A taker that is always ready takes an item when it is offered, whoever else is not ready."""
    bench, takers = Bench(dut), parameters()["takers"]
    for quick in range(takers):
        rig = Rig(bench, [0.0 if taker == quick else 0.6 for taker in range(takers)])
        await bench.reset()
        sent = await rig.run(3)
        # The source never stalls: an item is offered in the cycle after the one before left.
        assert rig.taken[quick][1:] == [cycle + 1 for cycle in sent[:-1]]
        assert rig.taken[quick] != sent
        rig.stop()


@cocotb.test()
async def an_item_waits_for_its_last_taker(dut: object) -> None:
    """While one taker is not ready, the others are offered the item once and the next one never."""
    bench, takers = Bench(dut), parameters()["takers"]
    for slow in range(takers):
        rig = Rig(bench, [1.0 if taker == slow else 0.0 for taker in range(takers)])
        await bench.reset()
        given = items(4)
        rig.source.put(given)
        await bench.cycles(30)
        assert not rig.source.sent
        for taker, sink in enumerate(rig.sinks):
            assert sink.words == ([] if taker == slow else given[:1])
            assert getattr(rig.dut, f"o__{taker}__valid").value == int(taker == slow)
        rig.stop()
        await bench.reset()


@cocotb.test()
async def reset_within_an_item(dut: object) -> None:
    """After a reset with an item half taken, the next one goes to all."""
    bench, takers = Bench(dut), parameters()["takers"]
    for slow in range(takers):
        rig = Rig(bench, [1.0 if taker == slow else 0.0 for taker in range(takers)])
        await bench.reset()
        rig.source.put(items(5, 1))
        await bench.cycles(5)
        assert sum(len(sink.taken) for sink in rig.sinks) == takers - 1
        rig.stop()
        await bench.reset()
        again = Rig(bench, [0.3] * takers)
        await again.run(6)
        again.stop()


@pytest.mark.parametrize("name", CONFIGS)
def test_stream_fork(name: str) -> None:
    given = CONFIGS[name]
    simulate(StreamFork(**given), __name__, f"stream_fork_{name}", given=given)
