"""Top-k against the golden one: the sorted list in memory, what is left alone, and the cycles."""

import random
from dataclasses import replace
from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from hw.config import ENTRY_BITS, PRESETS, RECORD_BITS, EngineConfig
from hw.sort.record_source import RecordSource
from hw.sort.topk import TopK
from hw.words import entry
from tb.layouts import from_bytes, to_bytes
from tb.memory import Memory, ReadMemory, WriteMemory
from tb.runner import parameters, simulate
from tb.sort.lists import CASES, ONES, Case, of_words
from tb.streams import Bench, Watch, set_value

RECORD_BYTES = RECORD_BITS // 8
GUARD_BEATS = 3
CONFIGS = {
    "tiny": replace(PRESETS["tiny"], max_tokens=128),
    # A chunk is a beat, which holds as many records as the sorter takes, or more.
    "least": replace(PRESETS["tiny"], sorter_width=2),
    "narrow": replace(PRESETS["tiny"], sorter_width=2, bus_bytes=64, max_channels=128),
    # Four beats a chunk.
    "wide": replace(PRESETS["tiny"], sorter_width=16, bus_bytes=32, max_tokens=256),
}


class Host:
    """A top-k unit with its memory, and the cycles whose edge took start and done."""

    def __init__(self, dut: Any, *, stall: float = 0.0, latency: int = 100):
        self.dut = dut
        self.config = EngineConfig(**parameters())
        self.unit = TopK(self.config)
        self.bench = Bench(dut)
        step, chunk = self.config.bus_bytes, self.config.chunk_records
        self.region = -(-self.config.max_tokens // chunk) * chunk * RECORD_BYTES
        self.records = GUARD_BEATS * step
        self.scratch = self.records + self.region + GUARD_BEATS * step
        self.entries = self.scratch + self.region + GUARD_BEATS * step
        # Entries that nobody may read are beyond the memory.
        self.entries_end = (
            self.entries + self.config.beats_of(self.config.max_tokens, ENTRY_BITS) * step
        )
        self.memory = Memory(self.entries_end)
        self.stall, self.latency = stall, latency
        self.started = Watch(self.bench, "run__start")
        self.done = Watch(self.bench, "run__done")
        self.dut.run__start.value = 0
        self.attach()
        cocotb.start_soon(self._watch())

    def attach(self) -> None:
        """Connect the memory."""
        given: dict[str, Any] = {"latency": self.latency, "stall": self.stall, "seed": 3}
        args = (self.config, self.memory)
        self.reads = [ReadMemory(self.bench, n, *args, **given) for n in ("read_a", "read_b")]
        self.write = WriteMemory(self.bench, "write", *args, **given)

    async def reset(self) -> None:
        """Reset the unit and the memory side, whatever is under way."""
        for read in self.reads:
            read.stop()
        self.write.stop()
        await self.bench.reset()
        self.attach()

    async def _watch(self) -> None:
        while True:
            await RisingEdge(self.dut.clk)
            if self.dut.run__done.value and not self.dut.rst.value:
                assert self.dut.write__idle.value, "done before memory has acknowledged"

    def load(self, case: Case) -> None:
        """Put the list where the unit will look for it."""
        if case.source == RecordSource.WORDS:
            self.memory.load(self.records, to_bytes(RECORD_BITS, case.given))
        else:
            self.memory.load(self._entries_at(case), to_bytes(entry(), case.given))

    def _entries_at(self, case: Case) -> int:
        """Where the entries lie: such that the memory ends with them."""
        beats = self.config.beats_of(len(case.given), ENTRY_BITS)
        return self.entries_end - beats * self.config.bus_bytes

    def stored(self, count: int) -> list[int]:
        """``count`` records from the records' address on."""
        return from_bytes(RECORD_BITS, self.memory.read(self.records, count * RECORD_BYTES))

    async def start(self, case: Case) -> None:
        """Pulse start, with the values that stay until done."""
        values = {
            "source": case.source.value,
            "count": len(case.given),
            "keep": case.keep,
            "records_address": self.records,
            "scratch_address": self.scratch,
            "entries_address": self._entries_at(case),
        }
        for port, value in values.items():
            set_value(getattr(self.dut, port), value)
        await self.bench.start()

    async def run(self, case: Case) -> int:
        """One job: checks its result and what it must leave alone; returns its cycles."""
        self.load(case)
        before, jobs = bytes(self.memory.bytes), len(self.done.cycles)
        await self.start(case)
        await self.bench.done(20 * (self.cycles(case)[1] + 20 * self.latency) + 100)
        await self.bench.cycles()
        assert len(self.done.cycles) == jobs + 1
        self._check(case, before)
        return self.done.cycles[-1] - self.started.cycles[-1]

    def cycles(self, case: Case) -> tuple[int, int]:
        """Those of the formula."""
        return self.unit.cycles(case.source, len(case.given), case.keep)

    def _check(self, case: Case, before: bytes) -> None:
        count, keep = len(case.given), case.keep
        assert self.stored(keep) == case.expected, (case.source, count, keep)
        chunk = self.config.chunk_records
        used = -(-count // chunk) * chunk if keep else 0
        if keep == count:
            beat = self.config.records_per_beat
            assert self.stored(-(-keep // beat) * beat)[keep:] == [ONES] * (-keep % beat)
        # Nothing but the two regions, as far as this list needs them, is written.
        after = self.memory.bytes
        at = 0
        for region in (self.records, self.scratch):
            assert after[at:region] == before[at:region]
            at = region + used * RECORD_BYTES
        assert after[at:] == before[at:]


def sizes(config: EngineConfig) -> list[int]:
    """List lengths around whole chunks, and up to the longest."""
    chunk, most = config.chunk_records, config.max_tokens
    edges = {0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk, 2 * chunk + 1, 3 * chunk, 4 * chunk - 1,
             5 * chunk, 7 * chunk + 2, most // 2 + 1, most - 1, most}  # fmt: skip
    return sorted(size for size in edges if 0 <= size <= most)


def phases(config: EngineConfig, count: int) -> int:
    """Times that a job waits for memory: the chunk phase and the passes."""
    chunks = -(-count // config.chunk_records)
    return 1 + (chunks - 1).bit_length() if count else 0


@cocotb.test()
@cocotb.parametrize(latency=[1, 30])
async def sorts_all(dut: Any, latency: int) -> None:
    """Every size and source, job after job; whole chunks take the cycles of the formula."""
    host = Host(dut, latency=latency)
    await host.reset()
    pick = random.Random(7)
    exact = 0
    for count in sizes(host.config):
        for make in CASES.values():
            case = make(count, count, pick)
            cycles = await host.run(case)
            if case.keep:
                cycles -= phases(host.config, count) * 2 * latency
            least, most = host.cycles(case)
            assert least <= cycles <= most, (case.source, count, case.keep, cycles)
            exact += least == most
            if case.keep == count and count % host.config.chunk_records == 0:
                assert least == most
    assert exact > len(CASES)


@cocotb.test()
async def keeps_the_least(dut: Any) -> None:
    """Fewer than all: right records, and within the cycles of the formula."""
    host = Host(dut, latency=20)
    await host.reset()
    pick = random.Random(8)
    chunk, most = host.config.chunk_records, host.config.max_tokens
    cases = [(5 * chunk + 1, keep) for keep in (0, 1, chunk - 1, chunk, chunk + 1, 5 * chunk)]
    cases += [(most, 1), (most, most // 2), (most - 3, most - 5), (chunk, 1), (0, 0)]
    for count, keep in cases:
        if count > most:
            continue
        for make in CASES.values():
            case = make(count, keep, pick)
            cycles = await host.run(case)
            waits = phases(host.config, count) if case.keep else 0
            cycles -= waits * 2 * host.latency
            least, most_cycles = host.cycles(case)
            assert least <= cycles <= most_cycles, (case.source, count, case.keep, cycles)


@cocotb.test()
async def traffic(dut: Any) -> None:
    """What is read of the list is its beats; with keep = 1 a pass writes a beat a run."""
    host = Host(dut, latency=1)
    await host.reset()
    chunk, pick = host.config.chunk_records, random.Random(9)
    for count in (4 * chunk, 3 * chunk + 1):
        for source, make in CASES.items():
            case = make(count, 1, pick)
            assert case.keep == 1
            read_a, read_b = (len(read.requests) for read in host.reads)
            written = len(host.write.requests)
            await host.run(case)
            bits = RECORD_BITS if source == RecordSource.WORDS else ENTRY_BITS
            first = host.reads[0].requests[read_a]
            assert first[2] == host.config.beats_of(count, bits)
            assert [beats for _, _, beats in host.write.requests[written + 1 :]] == [1, 1, 1]
            assert [beats for _, _, beats in host.reads[1].requests[read_b:]] == [1, 1, 1]


@cocotb.test()
async def with_stalls(dut: Any) -> None:
    """A memory that stalls at random, on every channel, changes no result."""
    host = Host(dut, stall=0.6, latency=12)
    await host.reset()
    pick = random.Random(10)
    for size in sizes(host.config):
        count = min(size, 80)
        for make in CASES.values():
            await host.run(make(count, pick.choice([count, pick.randint(0, count)]), pick))


@cocotb.test()
async def start_while_busy(dut: Any) -> None:
    """A second start before done changes nothing."""
    host = Host(dut, latency=1)
    await host.reset()
    case = of_words(3 * host.config.chunk_records, 3 * host.config.chunk_records, random.Random(11))
    host.load(case)
    await host.start(case)
    await host.bench.cycles(2)
    least, most = host.cycles(case)
    for _ in range(least // 2 - 3):
        await host.start(case)
        await host.bench.cycles(1)
    await host.bench.cycles(most)
    assert len(host.done.cycles) == 1
    assert host.stored(case.keep) == case.expected


@cocotb.test()
async def reset_within_a_job(dut: Any) -> None:
    """A reset in any phase leaves nothing behind: no done, and the next job is right."""
    host = Host(dut, latency=9)
    await host.reset()
    pick = random.Random(12)
    count = 4 * host.config.chunk_records - 1
    for make in CASES.values():
        whole = host.cycles(make(count, count, pick))[0]
        for cycles in (1, 3, 12, whole // 3, whole // 2, whole):
            case = make(count, count, pick)
            host.load(case)
            await host.start(case)
            await host.bench.cycles(cycles)
            jobs = len(host.done.cycles)
            await host.reset()
            await host.bench.cycles(40)
            assert len(host.done.cycles) == jobs
            await host.run(make(count, count, pick))


@pytest.mark.parametrize("name", CONFIGS)
def test_topk(name: str) -> None:
    config = CONFIGS[name]
    simulate(TopK(config), __name__, f"topk_{name}", given=config.as_dict())
