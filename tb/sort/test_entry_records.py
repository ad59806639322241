"""Entry records against the records that plain Python makes of the entries, and their pace."""

import random
from dataclasses import replace
from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from hw.config import ENTRY_BITS, PRESETS, RECORD_BITS, EngineConfig
from hw.sort.entry_records import EntryRecords
from hw.sort.record_source import RecordSource
from hw.words import entry
from tb.layouts import decode_words, encode_words
from tb.runner import parameters, simulate
from tb.sort.lists import group_record, random_entries, src_record
from tb.streams import Bench, Sink, Source

CONFIGS = {
    "tiny": PRESETS["tiny"],
    "broad": replace(PRESETS["tiny"], bus_bytes=64, max_channels=128),
}
RECORD: dict[Any, Any] = {RecordSource.GROUPS: group_record, RecordSource.PAIRS: src_record}


class Rig:
    """`EntryRecords` and who reads from it: counts the beats, and says which one is short."""

    def __init__(self, dut: Any, stall: float):
        self.dut = dut
        self.config = EngineConfig(**parameters())
        self.bench = Bench(dut)
        self.entries = Source(self.bench, "entry", stall=stall, seed=1)
        self.records = Sink(self.bench, "record", stall=stall, seed=2)
        self.stall = stall
        self.beats = 0
        self.last_is_short = False
        dut.index.value = dut.short.value = dut.source.value = 0
        cocotb.start_soon(self._count())

    async def _count(self) -> None:
        while True:
            await RisingEdge(self.dut.clk)
            if self.dut.record__valid.value and self.dut.record__ready.value:
                self._show(int(self.dut.index.value) + 1)

    def _show(self, index: int) -> None:
        self.dut.index.value = index
        self.dut.short.value = int(self.last_is_short and index == self.beats - 1)

    async def run(self, source: Any, count: int, pick: random.Random) -> None:
        """A list of entries: checks its records, and the cycles where nothing stalls."""
        config, at, sent = self.config, len(self.records.taken), len(self.entries.sent)
        given = random_entries(count, pick)
        padded = given + random_entries(-count % (config.bus_bits // ENTRY_BITS), pick)
        step = config.bus_bits // ENTRY_BITS
        words = [encode_words(entry(), padded[i : i + step]) for i in range(0, len(padded), step)]
        self.beats = -(-len(words) // 2)
        self.last_is_short = len(words) % 2 == 1
        self.dut.source.value = source.value
        self._show(0)
        self.entries.put(words)
        await self.records.wait(at + self.beats, limit=50 * self.beats + 50)
        records = [
            record
            for word in self.records.words[at:]
            for record in decode_words(RECORD_BITS, word, config.records_per_beat)
        ]
        expected = [RECORD[source](token, each) for token, each in enumerate(given)]
        assert records[:count] == expected
        cycles = [cycle for cycle, _ in self.records.taken[at:]]
        came = [cycle for cycle, _ in self.entries.sent[sent:]]
        last = came[1::2] + ([came[-1] + 1] if self.last_is_short else [])
        if not self.stall:
            assert cycles == last
            assert came == list(range(came[0], came[0] + len(words)))


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.5])
async def makes_records(dut: Any, stall: float) -> None:
    """Both kinds, lists that end anywhere, one after another."""
    rig, pick = Rig(dut, stall), random.Random(5)
    await rig.bench.reset()
    await rig.bench.cycles(2)
    for count in (1, 2, 3, 4, 5, 7, 8, 9, 16, 21, 60):
        for source in RECORD:
            await rig.run(source, count, pick)


@cocotb.test()
async def reset_between_two_halves(dut: Any) -> None:
    """What was taken of a beat is forgotten."""
    rig, pick = Rig(dut, 0.0), random.Random(6)
    await rig.bench.reset()
    await rig.bench.cycles(2)
    rig.entries.put([pick.getrandbits(rig.config.bus_bits)])
    await rig.entries.drain()
    await rig.bench.reset()
    await rig.bench.cycles(2)
    await rig.run(RecordSource.PAIRS, 16, pick)


@pytest.mark.parametrize("name", CONFIGS)
def test_entry_records(name: str) -> None:
    config = CONFIGS[name]
    simulate(EntryRecords(config), __name__, f"entry_records_{name}", given=config.as_dict())
