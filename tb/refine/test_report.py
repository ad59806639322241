"""The report against the bytes that a table should leave in memory, and its cycles."""

import random

import cocotb
import pytest

from hw.blocks import lookup
from hw.config import DST_WORD_BITS, HISTORY_WORD_BITS, PRESETS, EngineConfig
from hw.refine.report import Report
from tb.jobs import ADDRESS, MEMORY_BYTES
from tb.layouts import to_bytes
from tb.memory import LATENCY, Memory, WriteMemory
from tb.runner import parameters, simulate
from tb.streams import Bench, Lookup, Watch

TINY, DEMO = PRESETS["tiny"], PRESETS["demo"]
CONFIGS = {
    "dst-tiny": (TINY, DST_WORD_BITS, DST_WORD_BITS, TINY.max_dst),
    "history-tiny": (TINY, HISTORY_WORD_BITS, HISTORY_WORD_BITS, TINY.max_pairings),
    "dst-demo": (DEMO, DST_WORD_BITS, DST_WORD_BITS, DEMO.max_dst),
    "short-entries-tiny": (TINY, TINY.token_bits, DST_WORD_BITS, TINY.max_dst),
}
"""The config, the bits of an entry and of a word, and the most words."""
DST = ADDRESS["DST"]


class Rig:
    """A `Report` with its table and memory."""

    def __init__(self, bench: Bench, *, stall: float = 0.0):
        self.config = EngineConfig(**parameters()["config"])
        self.word_bits = parameters()["word_bits"]
        self.entry_bits = parameters()["entry_bits"]
        self.max_words = parameters()["max_words"]
        self.bench = bench
        self.dut = bench.dut
        self.memory = Memory(MEMORY_BYTES)
        self.table = [0]
        self.started = Watch(bench, "run__start")
        self.done = Watch(bench, "run__done")
        self._stall = stall
        self._connect()
        self.dut.run__start.value = 0
        Lookup(bench, "table", lambda i: self.table[i] if i < len(self.table) else 1)

    def _connect(self) -> None:
        self.writer = WriteMemory(
            self.bench, "write", self.config, self.memory, stall=self._stall, seed=1
        )

    async def reset(self) -> None:
        """Reset the component, and memory with it."""
        self.writer.stop()
        await self.bench.reset()
        self._connect()

    async def start(self, words: int, seed: int) -> None:
        """Start with a random table."""
        pick = random.Random(seed)
        self.table = [pick.getrandbits(self.entry_bits) for _ in range(words)]
        self.dut.words.value, self.dut.address.value = words, DST
        await self.bench.start()

    async def run(self, words: int, seed: int) -> None:
        """One table; compare memory in the cycle of done."""
        step = self.config.bus_bytes
        await self.start(words, seed)
        expected = to_bytes(self.word_bits, self.table)
        expected += bytes(-len(expected) % step)
        behind = self.memory.read(DST + len(expected), 2 * step)
        finished, requested = len(self.done.cycles), len(self.writer.requests)
        await self.bench.done(50_000)
        assert self.memory.read(DST, len(expected)) == expected
        assert self.memory.read(DST + len(expected), 2 * step) == behind
        requests = [(address, beats) for _, address, beats in self.writer.requests[requested:]]
        assert requests == [(DST, len(expected) // step)]
        await self.bench.cycles()
        assert len(self.done.cycles) == finished + 1


def lengths(rig: Rig) -> list[int]:
    """Around each number of whole beats, and the most."""
    per_beat = rig.config.bus_bits // rig.word_bits
    around = {1, per_beat - 1, per_beat, per_beat + 1, 2 * per_beat, 3 * per_beat - 1}
    return [*sorted(n for n in around if 0 < n <= rig.max_words), rig.max_words, 1]


@cocotb.test()
async def every_length(dut: object) -> None:
    """Tables one after another."""
    rig = Rig(Bench(dut))
    await rig.bench.reset()
    for seed, words in enumerate(lengths(rig)):
        await rig.run(words, seed)


@cocotb.test()
async def every_length_with_stalls(dut: object) -> None:
    """The same with a memory that stalls."""
    rig = Rig(Bench(dut), stall=0.6)
    await rig.bench.reset()
    for seed, words in enumerate(lengths(rig)):
        await rig.run(words, seed)


@cocotb.test()
async def cycles_of_a_word_and_a_beat(dut: object) -> None:
    """2 cycles a word, one a beat, and one for the request; done when the last beat has landed."""
    rig = Rig(Bench(dut))
    await rig.bench.reset()
    per_beat = rig.config.bus_bits // rig.word_bits
    words = min(rig.max_words, 3 * per_beat) - (per_beat > 1)
    await rig.run(words, 3)
    begun = rig.started.cycles[0] + 1
    filled = [*range(per_beat, words, per_beat), words]
    assert [cycle for cycle, _, _ in rig.writer.beats] == [
        begun + 2 * count + beat + 1 for beat, count in enumerate(filled)
    ]
    assert LATENCY <= rig.done.cycles[0] - rig.writer.beats[-1][0] <= LATENCY + 2


@cocotb.test()
async def reset_in_mid_run(dut: object) -> None:
    """After a reset at any time nothing of the run before is left."""
    rig = Rig(Bench(dut))
    await rig.bench.reset()
    for cycles in [1, 2, 3, 4, 5, 6, 20, 80]:
        await rig.start(min(20, rig.max_words), cycles)
        await rig.bench.cycles(cycles)
        await rig.reset()
        await rig.run(min(7, rig.max_words), cycles + 1)


@pytest.mark.parametrize("name", CONFIGS)
def test_report(name: str) -> None:
    config, entry_bits, word_bits, max_words = CONFIGS[name]
    table = lookup.Lookup(range(max_words), entry_bits)
    simulate(
        Report(config, table, word_bits, max_words),
        __name__,
        f"report_{name.replace('-', '_')}",
        given={
            "config": config.as_dict(),
            "entry_bits": entry_bits,
            "word_bits": word_bits,
            "max_words": max_words,
        },
    )
