"""The record reader against slicing what memory holds: any seek, any stall, and the cycles."""

import random
from dataclasses import replace
from typing import Any

import cocotb
import pytest

from hw.config import PRESETS, RECORD_BITS, EngineConfig
from hw.refine.record_reader import RecordReader
from tb.layouts import to_bytes
from tb.memory import Memory, ReadMemory
from tb.runner import parameters, simulate
from tb.streams import Bench, set_value, unsigned

BLOCK = 4
LATENCY = 5
CONFIGS = {
    "tiny": PRESETS["tiny"],
    "broad": replace(PRESETS["tiny"], bus_bytes=64, max_channels=128),
}


class Rig:
    """A `RecordReader` that is read at random, with a memory that ends where the list does."""

    def __init__(self, dut: Any, seed: int, *, stall: float = 0.0):
        self.config = EngineConfig(**parameters())
        self.bench = Bench(dut)
        self.dut = dut
        self.random = random.Random(seed)
        self.memory = Memory(2048)
        self.records: list[int] = []
        self.at = 0
        self._stall = stall
        dut.seek.value = 0
        dut.record__ready.value = 0
        self.connect()

    def connect(self) -> None:
        """Connect memory."""
        self.read = ReadMemory(
            self.bench, "read", self.config, self.memory,
            latency=LATENCY, stall=self._stall, seed=self.random.getrandbits(8),
        )  # fmt: skip

    async def reset(self) -> None:
        """Reset the unit and its memory, in whatever they are at."""
        self.read.stop()
        self.dut.seek.value = 0
        await self.bench.reset()
        self.connect()

    async def list_of(self, count: int) -> None:
        """Another list; the one before must have ended."""
        self.records = [self.random.getrandbits(RECORD_BITS) for _ in range(count)]
        beats = self.config.beats_of(count, RECORD_BITS)
        address = len(self.memory.bytes) - beats * self.config.bus_bytes
        self.memory.load(address, to_bytes(RECORD_BITS, self.records))
        set_value(self.dut.address, address)
        self.dut.records.value = count
        await self.bench.cycles()

    async def seek(self, first: int) -> None:
        """Go on at a record."""
        self.dut.seek.value = 1
        self.dut.first.value = first
        # Ready or not: in this cycle nothing is taken.
        self.dut.record__ready.value = self.random.getrandbits(1)
        await self.bench.cycles()
        self.dut.seek.value = 0
        self.at = first

    async def take(self, most: int) -> None:
        """Take records up to ``most`` or the list's end."""
        end = min(self.at + most, len(self.records))
        while self.at < end:
            ready = self.random.random() >= self._stall
            self.dut.record__ready.value = int(ready)
            await self.bench.cycles()
            assert not self.dut.ended.value
            assert unsigned(self.dut.index.value) == self.at
            if self.dut.record__valid.value:
                assert unsigned(self.dut.record__payload.value) == self.records[self.at]
                self.at += ready
            asked = sum(beats for _, _, beats in self.read.requests)
            assert asked - len(self.read.sent) <= 2 * BLOCK
        self.dut.record__ready.value = 0

    async def end(self) -> None:
        """Take the rest; then nothing is under way."""
        await self.take(len(self.records))
        self.dut.record__ready.value = 1
        for _ in range(2 * LATENCY):
            await self.bench.cycles()
            assert self.dut.ended.value
            assert not self.dut.record__valid.value
        self.dut.record__ready.value = 0
        assert sum(beats for _, _, beats in self.read.requests) == len(self.read.sent)


async def check(dut: Any, stall: float) -> None:
    """Lists of every length, with seeks to any place at any time."""
    rig = Rig(dut, 1, stall=stall)
    await rig.bench.reset()
    for count in (1, 2, 7, 8, 9, 33, rig.config.max_tokens):
        await rig.list_of(count)
        for _ in range(8):
            await rig.seek(rig.random.randrange(count))
            await rig.take(rig.random.choice([0, 1, 3, 20, count]))
            await rig.bench.cycles(rig.random.choice([0, 0, 3, 40]))
        await rig.end()


@cocotb.test()
async def any_seek(dut: Any) -> None:
    """Memory and taker keep up."""
    await check(dut, 0.0)


@cocotb.test()
async def any_seek_with_stalls(dut: Any) -> None:
    """Neither does."""
    await check(dut, 0.4)


@cocotb.test()
async def cycles(dut: Any) -> None:
    """A request 2 cycles after the seek, then a record a cycle from memory's answer on."""
    rig = Rig(dut, 2)
    await rig.bench.reset()
    await rig.list_of(rig.config.max_tokens)
    for first in (0, 5, rig.config.max_tokens - 1):
        await rig.seek(first)
        dut.record__ready.value = 1
        offered = []
        while not dut.read__beat__valid.value:
            await rig.bench.cycles()
            offered.append(bool(dut.read__request__valid.value))
        assert offered[:2] == [False, True]
        for place in range(first, rig.config.max_tokens):
            assert dut.record__valid.value
            assert unsigned(dut.index.value) == place
            assert unsigned(dut.record__payload.value) == rig.records[place]
            await rig.bench.cycles()
        assert dut.ended.value


@cocotb.test()
async def reset_in_mid_list(dut: Any) -> None:
    """What was under way before a reset is forgotten."""
    rig = Rig(dut, 3)
    await rig.bench.reset()
    for taken in range(12):
        await rig.list_of(40)
        await rig.seek(taken)
        await rig.take(taken)
        await rig.reset()
        await rig.list_of(9)
        await rig.seek(0)
        await rig.end()


@pytest.mark.parametrize("name", CONFIGS)
def test_record_reader(name: str) -> None:
    config = CONFIGS[name]
    simulate(
        RecordReader(config, BLOCK), __name__, f"refine_record_reader_{name}",
        given=config.as_dict(),
    )  # fmt: skip
