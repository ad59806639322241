"""The record feed against slicing beats: records, what is dropped, latency and pace."""

import random
from dataclasses import replace
from typing import Any

import cocotb
import pytest

from hw.config import PRESETS, RECORD_BITS, EngineConfig
from hw.sort.record_feed import RecordFeed
from tb.layouts import decode_words
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, Source

CONFIGS = {
    "tiny": PRESETS["tiny"],
    "broad": replace(PRESETS["tiny"], bus_bytes=64, max_channels=128),
}


class Rig:
    """A `RecordFeed` that is fed random beats."""

    def __init__(self, dut: Any, stall: float = 0.0, slow: float = 0.0):
        self.dut = dut
        self.config = EngineConfig(**parameters())
        self.bench = Bench(dut)
        self.pick = random.Random(6)
        self.source = Source(self.bench, "beat", stall=stall, seed=1)
        self.slow = slow
        dut.load.value = dut.drop.value = 0

    def sink(self) -> Sink:
        """A taker of the records."""
        return Sink(self.bench, "record", stall=self.slow, seed=2)

    async def load(self, beats: int) -> list[int]:
        """Load a run of random beats; its records."""
        assert self.dut.exhausted.value
        words = [self.pick.getrandbits(self.config.bus_bits) for _ in range(beats)]
        self.dut.beats.value = beats
        self.dut.load.value = 1
        await self.bench.cycles()
        self.dut.load.value = self.dut.beats.value = 0
        self.source.put(words)
        per_beat = self.config.records_per_beat
        return [each for word in words for each in decode_words(RECORD_BITS, word, per_beat)]


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.5], slow=[0.0, 0.5])
async def feeds(dut: Any, stall: float, slow: float) -> None:
    """Run after run; without stalls the records come a cycle after their beat, one a cycle."""
    rig = Rig(dut, stall, slow)
    sink = rig.sink()
    await rig.bench.reset()
    await rig.bench.cycles(2)
    for beats in (1, 2, 7, 3, 1, 12):
        at, sent = len(sink.taken), len(rig.source.sent)
        expected = await rig.load(beats)
        await sink.wait(at + len(expected), limit=1000)
        await rig.bench.cycles(2)
        assert sink.words[at:] == expected
        assert dut.exhausted.value
        if not stall and not slow:
            first = rig.source.sent[sent][0] + 1
            assert [cycle for cycle, _ in sink.taken[at:]] == [
                first + number for number in range(len(expected))
            ]


@cocotb.test()
async def takes_no_more_than_the_run(dut: Any) -> None:
    """Beats behind the run stay where they are."""
    rig = Rig(dut)
    sink = rig.sink()
    await rig.bench.reset()
    expected = await rig.load(2)
    rig.source.put([1, 2, 3])
    await rig.bench.cycles(40)
    assert sink.words == expected
    assert len(rig.source.sent) == 2


@cocotb.test()
async def drops(dut: Any) -> None:
    """What is left is dropped, a beat a cycle, and the next run is whole."""
    rig = Rig(dut)
    await rig.bench.reset()
    for taken in (0, 1, 2, 3, 9):
        sink = rig.sink()
        expected = await rig.load(8)
        await sink.wait(taken)
        sink.stop()
        await rig.bench.cycles(3)
        left = 8 - len(rig.source.sent) % 8
        dut.drop.value = 1
        await rig.bench.cycles(left % 8 + 1)
        assert sink.words == expected[: len(sink.words)]
        dut.drop.value = 0
        await rig.bench.cycles()
        assert dut.exhausted.value
        assert not dut.record__valid.value
        assert len(rig.source.sent) % 8 == 0


@pytest.mark.parametrize("name", CONFIGS)
def test_record_feed(name: str) -> None:
    config = CONFIGS[name]
    simulate(RecordFeed(config), __name__, f"record_feed_{name}", given=config.as_dict())
