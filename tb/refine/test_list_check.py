"""The list check against counting the entries in Python: any number of dst, and the cycles."""

import random
from dataclasses import replace
from typing import Any

import cocotb
import pytest

from hw.config import ENTRY_BITS, PRESETS, EngineConfig
from hw.refine.list_check import ListCheck
from hw.words import entry
from tb.jobs import ADDRESS, MEMORY_BYTES, Sizes
from tb.layouts import to_bytes
from tb.memory import Memory, ReadMemory
from tb.runner import parameters, simulate
from tb.streams import Bench, Watch, set_value

CONFIGS = {
    "tiny": PRESETS["tiny"],
    "demo": PRESETS["demo"],
    "wide": replace(PRESETS["tiny"], bus_bytes=128, max_channels=256, max_tokens=75, max_dst=74),
}


class Rig:
    """A `ListCheck` with its memory."""

    def __init__(self, dut: Any, *, stall: float = 0.0):
        self.config = EngineConfig(**parameters())
        self.bench = Bench(dut)
        self.dut = dut
        self.memory = Memory(MEMORY_BYTES)
        self.started = Watch(self.bench, "run__start")
        self.done = Watch(self.bench, "run__done")
        self._random = random.Random(4)
        self._stall = stall
        dut.run__start.value = 0
        self.connect()

    def connect(self) -> None:
        """Connect memory."""
        self.read = ReadMemory(
            self.bench, "read", self.config, self.memory, latency=9, stall=self._stall
        )

    async def start(self, tokens: int, num_dst: int, dst: set[int]) -> None:
        """Start on entries of N tokens, those in ``dst`` a dst's; all else in them is random."""
        entries = []
        beats = self.config.beats_of(tokens, ENTRY_BITS)
        for token in range(beats * self.config.bus_bits // ENTRY_BITS):
            members = {name: self._random.getrandbits(field.width) for name, field in entry()}
            entries.append(members | {"is_dst": int(token in dst)})
        self.memory.load(ADDRESS["ENTRIES"], to_bytes(entry(), entries))
        set_value(self.dut.job, Sizes(self.config, tokens, 1, num_dst).job())
        await self.bench.start()

    async def check(self, tokens: int, num_dst: int, found: int) -> None:
        """One check of entries of which ``found`` are a dst's."""
        await self.start(tokens, num_dst, set(self._random.sample(range(tokens), found)))
        await self.bench.done(40 * tokens + 100)
        assert self.dut.distinct.value == (found == num_dst), f"{found} of {num_dst}, N {tokens}"
        await self.bench.cycles(3)
        assert self.dut.distinct.value == (found == num_dst), "it holds until the next start"
        beats = self.config.beats_of(tokens, ENTRY_BITS)
        asked, *rest = self.read.requests[-1]
        assert tuple(rest) == (ADDRESS["ENTRIES"], beats)
        if not self._stall:
            assert asked == self.started.cycles[-1] + 1
        assert self.done.cycles[-1] == self.read.sent[-1][0] + ListCheck.latency


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.5])
async def counts(dut: Any, stall: float) -> None:
    """As many as M, one more and one less, none and all; N of every remainder by beats."""
    rig = Rig(dut, stall=stall)
    await rig.bench.reset()
    most, slots = rig.config.max_tokens, rig.config.max_dst
    for tokens, num_dst in [(2, 1), (41, 17), (42, 1), (43, 20), (most, slots), (most, 1)]:
        for found in sorted({0, num_dst - 1, num_dst, num_dst + 1, tokens}):
            await rig.check(tokens, num_dst, found)
    assert len(rig.done.cycles) == len(rig.started.cycles) == len(rig.read.requests)


@cocotb.test()
async def reset_in_mid_run(dut: Any) -> None:
    """After a reset at any time nothing was counted."""
    rig = Rig(dut, stall=0.3)
    await rig.bench.reset()
    for cycles in (1, 2, 5, 12, 15, 20):
        await rig.start(43, 20, set(range(43)))
        await rig.bench.cycles(cycles)
        rig.read.stop()
        await rig.bench.reset()
        rig.connect()
        await rig.check(43, 20, 20)
        await rig.check(43, 20, 19)


@pytest.mark.parametrize("name", CONFIGS)
def test_list_check(name: str) -> None:
    config = CONFIGS[name]
    simulate(ListCheck(config), __name__, f"list_check_{name}", given=config.as_dict())
