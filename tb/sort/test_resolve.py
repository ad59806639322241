"""Resolve against a lookup in plain Python: the records in memory, what it asks, its cycles."""

import random
from dataclasses import replace
from typing import Any

import cocotb
import pytest

from hw.config import DST_WORD_BITS, PRESETS, RECORD_BITS, RECORD_FIELDS, EngineConfig
from hw.sort.resolve import Resolve
from hw.words import dst_word, pair_record
from tb.layouts import from_bytes, to_bytes
from tb.memory import Memory, ReadMemory, WriteMemory
from tb.runner import parameters, simulate
from tb.streams import Bench, Watch, set_value

CONFIGS = {
    "tiny": replace(PRESETS["tiny"], max_tokens=200, max_dst=90),
    "broad": replace(PRESETS["tiny"], bus_bytes=64, max_channels=128),
}
TOKENS = 1 << RECORD_FIELDS["src"]


class Rig:
    """A `Resolve` with its memory: first the records, then the dst list."""

    def __init__(self, bench: Bench, *, latency: int, stall: float = 0.0):
        self.bench = bench
        self.config = EngineConfig(**parameters())
        self.unit = Resolve(self.config)
        self.pick = random.Random(4)
        step = self.config.bus_bytes
        self.records = 3 * step
        self.dst = self.records + (self.config.list_beats + 2) * step
        dst_beats = self.config.beats_of(self.config.max_dst, DST_WORD_BITS)
        self.memory = Memory(self.dst + dst_beats * step)
        self.latency, self.stall = latency, stall
        self.started = Watch(bench, "run__start")
        self.done = Watch(bench, "run__done")
        bench.dut.run__start.value = 0
        self._connect()

    def _connect(self) -> None:
        given: dict[str, Any] = {"latency": self.latency, "stall": self.stall, "seed": 2}
        args = (self.config, self.memory)
        self.reads = [
            ReadMemory(self.bench, name, *args, **given) for name in ("read_records", "read_dst")
        ]
        self.write = WriteMemory(self.bench, "write", *args, **given)

    async def reset(self) -> None:
        """Reset the unit, and memory with it."""
        for read in self.reads:
            read.stop()
        self.write.stop()
        await self.bench.reset()
        self._connect()

    def load(self, count: int) -> bytes:
        """Random records and dst list; all of memory as it should be after a run."""
        config, pick = self.config, self.pick
        dst = [pick.randrange(TOKENS) for _ in range(config.max_dst)]
        words = [
            {"token": token, "slot": slot, "zero": 0, "zero_too": 0}
            for slot, token in enumerate(dst)
        ]
        self.memory.load(self.dst, to_bytes(dst_word(), words))
        pairs = [
            {
                "dst": pick.choice([pick.randrange(config.max_dst), 0, config.max_dst - 1]),
                "src": pick.randrange(TOKENS),
                "loss": pick.getrandbits(RECORD_FIELDS["loss"]),
            }
            for _ in range(count)
        ]
        self.memory.load(self.records, to_bytes(pair_record(), pairs))
        expected = bytearray(self.memory.bytes)
        resolved = to_bytes(pair_record(), [pair | {"dst": dst[pair["dst"]]} for pair in pairs])
        expected[self.records : self.records + len(resolved)] = resolved
        return bytes(expected)

    async def start(self, count: int) -> None:
        """Start, with inputs that stay."""
        for port, value in (
            ("count", count), ("records_address", self.records), ("dst_address", self.dst),
        ):  # fmt: skip
            set_value(getattr(self.bench.dut, port), value)
        await self.bench.start()

    async def run(self, count: int) -> int:
        """One list: checks all of memory; its cycles."""
        expected, finished = self.load(count), len(self.done.cycles)
        asked = [len(read.requests) for read in self.reads]
        await self.start(count)
        await self.bench.done(20 * (count + 10) * (self.latency + 2))
        assert self.bench.dut.write__idle.value
        got, want = (
            from_bytes(RECORD_BITS, content) for content in (bytes(self.memory.bytes), expected)
        )
        assert got == want, count
        await self.bench.cycles()
        assert len(self.done.cycles) == finished + 1
        lists, lookups = (
            [beats for _, _, beats in read.requests[before:]]
            for read, before in zip(self.reads, asked, strict=True)
        )
        assert lists == ([self.config.beats_of(count, RECORD_BITS)] if count else [])
        assert lookups == [1] * count
        return self.done.cycles[-1] - self.started.cycles[-1]


def counts(config: EngineConfig) -> list[int]:
    """None, around whole beats, and as many as there are."""
    per_beat = config.records_per_beat
    few = [0, 1, 2, per_beat - 1, per_beat, per_beat + 1, 3 * per_beat, 5 * per_beat + 1]
    return [*few, Resolve.ahead, Resolve.ahead + 1, config.max_tokens - 1, config.max_tokens]


@cocotb.test()
@cocotb.parametrize(latency=[1, 13, 14, 60])
async def cycles(dut: Any, latency: int) -> None:
    """Every count, list after list, to the cycle."""
    rig = Rig(Bench(dut), latency=latency)
    await rig.reset()
    for count in counts(rig.config):
        assert await rig.run(count) == rig.unit.cycles(count, latency), count


@cocotb.test()
@cocotb.parametrize(stall=[0.3, 0.8])
async def stalls(dut: Any, stall: float) -> None:
    """A memory that stalls at random on every channel."""
    rig = Rig(Bench(dut), latency=7, stall=stall)
    await rig.reset()
    for count in counts(rig.config):
        await rig.run(count)


@cocotb.test()
async def resets(dut: Any) -> None:
    """A reset anywhere leaves nothing behind."""
    rig = Rig(Bench(dut), latency=8)
    await rig.reset()
    for cycles_before in (1, 3, 10, 15, 22, 30, 41):
        rig.load(37)
        await rig.start(37)
        await rig.bench.cycles(cycles_before)
        await rig.reset()
        finished = len(rig.done.cycles)
        await rig.bench.cycles(30)
        assert len(rig.done.cycles) == finished
        await rig.run(21)


@pytest.mark.parametrize("name", CONFIGS)
def test_resolve(name: str) -> None:
    config = CONFIGS[name]
    simulate(Resolve(config), __name__, f"resolve_{name}", given=config.as_dict())
