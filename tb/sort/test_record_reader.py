"""The record reader against slicing what memory holds: padding, what is read, and the cycles."""

import random
from dataclasses import replace
from typing import Any

import cocotb
import pytest

from hw.config import ENTRY_BITS, PRESETS, RECORD_BITS, EngineConfig
from hw.sort.record_reader import RecordReader
from hw.sort.record_source import RecordSource
from hw.words import entry
from tb.layouts import decode_words, to_bytes
from tb.memory import Memory, ReadMemory
from tb.runner import parameters, simulate
from tb.sort.lists import ONES, group_record, random_entries, src_record
from tb.streams import Bench, Sink, set_value

CONFIGS = {
    "tiny": PRESETS["tiny"],
    "least": replace(PRESETS["tiny"], sorter_width=2),
    "broad": replace(PRESETS["tiny"], sorter_width=32, bus_bytes=64, max_channels=128),
}
LATENCY = 5


class Rig:
    """A `RecordReader` with a memory that ends where the list does."""

    def __init__(self, dut: Any, stall: float):
        self.dut = dut
        self.config = EngineConfig(**parameters())
        self.unit = RecordReader(self.config)
        self.bench = Bench(dut)
        self.stall = stall
        self.memory = Memory(4096)
        dut.start.value = 0
        self.connect()

    def connect(self) -> None:
        """Connect memory and the taker."""
        self.read = ReadMemory(
            self.bench, "read", self.config, self.memory, latency=LATENCY, stall=self.stall, seed=3
        )
        self.beats = Sink(self.bench, "beat", stall=self.stall, seed=4)

    async def begin(self, source: Any, count: int, pick: random.Random) -> list[int]:
        """Start on a random list; the records that are to come."""
        if source == RecordSource.WORDS:
            records = [pick.getrandbits(RECORD_BITS) for _ in range(count)]
            content = to_bytes(RECORD_BITS, records)
        else:
            given = random_entries(count, pick)
            record = group_record if source == RecordSource.GROUPS else src_record
            records = [record(token, each) for token, each in enumerate(given)]
            content = to_bytes(entry(), given)
        address = len(self.memory.bytes) // 2
        self.memory.load(address, content)
        self.dut.source.value = source.value
        self.dut.count.value = count
        set_value(self.dut.address, address)
        self.dut.start.value = 1
        await self.bench.cycles()
        self.dut.start.value = 0
        return records + [ONES] * (-count % self.config.chunk_records)

    async def run(self, source: Any, count: int, pick: random.Random) -> None:
        """A list: checks its records, what is read for them, and the cycles."""
        config, at, asked = self.config, len(self.beats.taken), len(self.read.requests)
        sent = len(self.read.sent)
        expected = await self.begin(source, count, pick)
        beats = len(expected) // config.records_per_beat
        await self.beats.wait(at + beats, limit=100 * (beats + LATENCY))
        await self.bench.cycles(LATENCY + 3)
        assert self.dut.exhausted.value
        words = self.beats.words[at:]
        assert expected == [
            record
            for word in words
            for record in decode_words(RECORD_BITS, word, config.records_per_beat)
        ]
        bits = RECORD_BITS if source == RecordSource.WORDS else ENTRY_BITS
        assert [n for _, _, n in self.read.requests[asked:]] == [config.beats_of(count, bits)]
        if not self.stall:
            first, last = self.read.sent[sent][0], self.beats.taken[-1][0]
            assert last - first + 1 == self.unit.cycles(source, count)


SOURCES: tuple[Any, ...] = (RecordSource.WORDS, RecordSource.GROUPS, RecordSource.PAIRS)


def counts(config: EngineConfig) -> list[int]:
    """Around beats and chunks."""
    chunk, beat = config.chunk_records, config.records_per_beat
    around = {1, 2, beat - 1, beat, beat + 1, chunk - 1, chunk, chunk + 1, 2 * chunk}
    return sorted(count for count in (*around, config.max_tokens - 1, config.max_tokens) if count)


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.5])
async def reads(dut: Any, stall: float) -> None:
    """Every source, lists that end anywhere, one after another."""
    rig, pick = Rig(dut, stall), random.Random(5)
    await rig.bench.reset()
    await rig.bench.cycles(2)
    for count in counts(rig.config):
        for source in SOURCES:
            await rig.run(source, count, pick)


@cocotb.test()
async def resets(dut: Any) -> None:
    """A reset anywhere leaves nothing behind."""
    rig, pick = Rig(dut, 0.0), random.Random(6)
    await rig.bench.reset()
    for cycles in (0, 1, LATENCY + 2, LATENCY + 3, LATENCY + 4):
        for source in SOURCES:
            await rig.begin(source, rig.config.chunk_records + 1, pick)
            await rig.bench.cycles(cycles)
            rig.read.stop()
            rig.beats.stop()
            await rig.bench.reset()
            rig.connect()
            await rig.bench.cycles(2)
            await rig.run(source, rig.config.chunk_records + 1, pick)


@pytest.mark.parametrize("name", CONFIGS)
def test_record_reader(name: str) -> None:
    config = CONFIGS[name]
    simulate(RecordReader(config), __name__, f"record_reader_{name}", given=config.as_dict())
