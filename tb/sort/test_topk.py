"""Top-k against the golden one: the sorted list in memory, what is left alone, and the cycles."""

import random
from dataclasses import replace
from typing import Any

import cocotb
import pytest
import torch
from cocotb.triggers import RisingEdge

from golden.topk import topk
from hw.config import PRESETS, RECORD_BITS, RECORD_FIELDS, EngineConfig
from hw.sort.topk import TopK
from hw.words import pair_record
from tb.layouts import decode, encode, from_bytes, to_bytes
from tb.memory import Memory, ReadMemory, WriteMemory
from tb.runner import parameters, simulate
from tb.streams import Bench, set_value

ONES = (1 << RECORD_BITS) - 1
RECORD_BYTES = RECORD_BITS // 8
GUARD_BEATS = 3
CONFIGS = {
    "tiny": replace(PRESETS["tiny"], max_tokens=256),
    # A beat holds more records than the sorter takes.
    "narrow": replace(PRESETS["tiny"], sorter_width=2, bus_bytes=64, max_channels=128),
    "demo": PRESETS["demo"],
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
        self.memory = Memory(self.scratch + self.region + GUARD_BEATS * step)
        self.stall, self.latency = stall, latency
        self.started: list[int] = []
        self.done: list[int] = []
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
            if self.dut.run__start.value and not self.dut.rst.value:
                self.started.append(self.bench.cycle)
            if self.dut.run__done.value and not self.dut.rst.value:
                assert self.dut.write__idle.value, "done before memory has acknowledged"
                self.done.append(self.bench.cycle)

    def load(self, records: list[int]) -> None:
        """Put the list at the records' address, with random bytes around it."""
        self.memory.load(self.records, to_bytes(RECORD_BITS, records))

    def stored(self, count: int) -> list[int]:
        """``count`` records from the records' address on."""
        return from_bytes(RECORD_BITS, self.memory.read(self.records, count * RECORD_BYTES))

    async def start(self, count: int, keep: int) -> None:
        """Pulse start, with its values for that cycle only."""
        values = {
            "count": count,
            "keep": keep,
            "records_address": self.records,
            "scratch_address": self.scratch,
        }
        for port, value in values.items():
            set_value(getattr(self.dut, port), value)
        await self.bench.start()
        for port in values:
            set_value(getattr(self.dut, port), 0)

    async def run(self, records: list[int], keep: int) -> int:
        """One job: checks its result and what it must leave alone; returns its cycles."""
        self.load(records)
        before, jobs = bytes(self.memory.bytes), len(self.done)
        count = len(records)
        await self.start(count, keep)
        limit = 20 * (self.unit.cycles(count, count)[1] + 20 * self.latency) + 100
        for _ in range(limit):
            if len(self.done) > jobs:
                break
            await RisingEdge(self.dut.clk)
        assert len(self.done) == jobs + 1, f"not done after {limit} cycles"
        self._check(records, keep, before)
        return self.done[-1] - self.started[-1]

    def _check(self, records: list[int], keep: int, before: bytes) -> None:
        assert self.stored(keep) == golden_least(records, keep), (len(records), keep)
        chunk = self.config.chunk_records
        used = -(-len(records) // chunk) * chunk if keep else 0
        if keep == len(records):
            beat = self.config.records_per_beat
            assert self.stored(-(-keep // beat) * beat)[keep:] == [ONES] * (-keep % beat)
        # Nothing but the two regions, as far as this list needs them, is written.
        after = self.memory.bytes
        at = 0
        for region in (self.records, self.scratch):
            assert after[at:region] == before[at:region]
            at = region + used * RECORD_BYTES
        assert after[at:] == before[at:]


def golden_least(records: list[int], keep: int) -> list[int]:
    """The ``keep`` least records by the golden top-k."""
    pairs = [decode(pair_record(), record) for record in records]
    loss = torch.tensor([pair["loss"] for pair in pairs], dtype=torch.int64)
    src = torch.tensor([pair["src"] for pair in pairs], dtype=torch.int64)
    by_src = dict(zip(src.tolist(), records, strict=True))
    return [by_src[token] for token in topk(loss, src, keep)[1].tolist()]


def random_records(count: int, pick: random.Random) -> list[int]:
    """Records of distinct src: wide losses, or few so that ties abound, or in order already."""
    kind = pick.randrange(4)
    largest = (1 << RECORD_FIELDS["loss"]) - 1
    top = [largest, 3, 0, largest][kind]
    losses = [pick.randint(0, top) for _ in range(count)]
    if kind == 3:
        losses.sort(reverse=pick.random() < 0.5)
    sources = pick.sample(range((1 << RECORD_FIELDS["src"]) - 1), count)
    return [
        encode(
            pair_record(),
            {"dst": pick.getrandbits(RECORD_FIELDS["dst"]), "src": src, "loss": loss},
        )
        for loss, src in zip(losses, sources, strict=True)
    ]


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
@cocotb.parametrize(latency=[1, 100])
async def sorts_all(dut: Any, latency: int) -> None:
    """Every size, job after job; whole chunks take the cycles of the formula to the cycle."""
    host = Host(dut, latency=latency)
    await host.reset()
    pick = random.Random(7)
    for count in sizes(host.config):
        cycles = await host.run(random_records(count, pick), count)
        cycles -= phases(host.config, count) * 2 * latency
        least, most = host.unit.cycles(count, count)
        assert least <= cycles <= most, (count, cycles)
        assert least == most or count % host.config.chunk_records


@cocotb.test()
async def keeps_the_least(dut: Any) -> None:
    """Fewer than all: right records, and within the cycles of the formula."""
    host = Host(dut)
    await host.reset()
    pick = random.Random(8)
    chunk, most = host.config.chunk_records, host.config.max_tokens
    cases = [(5 * chunk + 1, keep) for keep in (0, 1, chunk - 1, chunk, chunk + 1, 5 * chunk)]
    cases += [(most, 1), (most, most // 2), (most - 3, most - 5), (chunk, 1), (0, 0)]
    for count, keep in cases:
        cycles = await host.run(random_records(count, pick), keep)
        waits = phases(host.config, count) if keep else 0
        cycles -= waits * 2 * host.latency
        least, most_cycles = host.unit.cycles(count, keep)
        assert least <= cycles <= most_cycles, (count, keep, cycles)


@cocotb.test()
async def cutting_saves_traffic(dut: Any) -> None:
    """With keep = 1 a pass writes a beat a run, and the requests say so."""
    host = Host(dut, latency=1)
    await host.reset()
    chunk = host.config.chunk_records
    await host.run(random_records(4 * chunk, random.Random(9)), 1)
    assert [beats for _, _, beats in host.write.requests[1:]] == [1, 1, 1]
    assert [beats for _, _, beats in host.reads[1].requests] == [1, 1, 1]


@cocotb.test()
@cocotb.parametrize(stall=[0.3, 0.8])
async def with_stalls(dut: Any, stall: float) -> None:
    """A memory that stalls at random, on every channel, changes no result."""
    host = Host(dut, stall=stall, latency=12)
    await host.reset()
    pick = random.Random(10)
    for size in sizes(host.config):
        count = min(size, 80)
        await host.run(random_records(count, pick), pick.choice([count, pick.randint(0, count)]))


@cocotb.test()
async def start_while_busy(dut: Any) -> None:
    """A second start before done changes nothing."""
    host = Host(dut, latency=1)
    await host.reset()
    records = random_records(3 * host.config.chunk_records, random.Random(11))
    host.load(records)
    await host.start(len(records), len(records))
    for _ in range(40):
        await host.start(1, 1)
        await host.bench.cycles(1)
    await host.bench.cycles(host.unit.cycles(len(records), len(records))[1])
    assert len(host.done) == 1
    assert host.stored(len(records)) == sorted(records)


@cocotb.test()
async def reset_within_a_job(dut: Any) -> None:
    """A reset in any phase leaves nothing behind: no done, and the next job is right."""
    host = Host(dut, latency=9)
    await host.reset()
    pick = random.Random(12)
    count = 4 * host.config.chunk_records - 1
    whole = host.unit.cycles(count, count)[0]
    for cycles in (1, 3, 12, whole // 3, whole // 2, whole):
        host.load(random_records(count, pick))
        await host.start(count, count)
        await host.bench.cycles(cycles)
        jobs = len(host.done)
        await host.reset()
        await host.bench.cycles(40)
        assert len(host.done) == jobs
        await host.run(random_records(count, pick), count)


@pytest.mark.parametrize("name", CONFIGS)
def test_topk(name: str) -> None:
    config = CONFIGS[name]
    simulate(TopK(config), __name__, f"topk_{name}", given=config.as_dict())
