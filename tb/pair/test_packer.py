"""The packer against the packed region that Python lays out, byte by byte, and its cycles."""

import random
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import cocotb
import pytest
import torch
from torch import Tensor

from hw.config import PRESETS, EngineConfig
from hw.pair.packer import Packer
from hw.words import assignment
from tb.jobs import ADDRESS, MEMORY_BYTES, Sizes, packed_bytes, random_quantized, row_bytes
from tb.memory import LATENCY, Memory, ReadMemory, WriteMemory
from tb.runner import parameters, simulate
from tb.streams import Bench, Source, set_value

CONFIGS = {
    "tiny": PRESETS["tiny"],
    "demo": PRESETS["demo"],
    "one-dst-lane": replace(PRESETS["tiny"], dst_lanes=1, channel_lanes=8),
}


class Rig:
    """A `Packer` with its memory."""

    def __init__(self, bench: Bench, *, stall: float = 0.0, latency: int = LATENCY):
        self.config = EngineConfig(**parameters())
        self.bench = bench
        self.dut = bench.dut
        self.memory = Memory(MEMORY_BYTES)
        self._stall = stall
        self._latency = latency
        self._connect()

    def _connect(self) -> None:
        config, memory, stall = self.config, self.memory, self._stall
        self.reader = ReadMemory(
            self.bench, "read", config, memory, latency=self._latency, stall=stall, seed=1
        )
        self.writer = WriteMemory(self.bench, "write", config, memory, stall=stall, seed=2)
        self.assign = Source(self.bench, "assign", assignment(config), stall=stall, seed=3)

    async def reset(self) -> None:
        """Reset the component, and memory with it."""
        for part in (self.reader, self.writer, self.assign):
            part.stop()
        await self.bench.reset()
        self._connect()

    def load(self, sizes: Sizes, seed: int) -> Tensor:
        """Random rows; the packed region empty, so that lanes beyond the dst list stay zero."""
        tokens = random_quantized(sizes, torch.Generator().manual_seed(seed))
        self.memory.load(ADDRESS["QUANTIZED"], row_bytes(sizes, tokens.q))
        space = sizes.tiles * sizes.tile_beats * self.config.bus_bytes
        self.memory.load(ADDRESS["PACKED"], bytes(space))
        set_value(self.dut.job, sizes.job())
        return tokens.q

    def put(self, slots: Iterable[int], dst: Tensor) -> None:
        """Assign their tokens to ``slots``; which ones they replace is nothing to the packer."""
        self.assign.put(
            {"slot": slot, "token": int(dst[slot]), "old": 0, "replaces": 0} for slot in slots
        )

    async def pack(self, slots: list[int], dst: Tensor) -> None:
        """Pack the tokens of ``slots``, until the packer is idle."""
        self.put(slots, dst)
        await self.assign.drain()
        for _ in range(50_000):
            await self.bench.cycles()
            if self.dut.idle.value:
                return
        raise AssertionError("the packer does not become idle")

    async def run(self, sizes: Sizes, seed: int) -> None:
        """Pack all slots, then new tokens into some, in any order; compare the whole region."""
        pick = random.Random(seed)
        q = self.load(sizes, seed)
        dst = torch.tensor(pick.sample(range(sizes.tokens), sizes.num_dst))
        begin, region = ADDRESS["PACKED"], sizes.tiles * sizes.tile_beats * self.config.bus_bytes
        behind = self.memory.read(begin + region, 4 * self.config.bus_bytes)
        await self.pack(list(range(sizes.num_dst)), dst)
        assert self.memory.read(begin, region) == packed_bytes(sizes, q, dst)

        moved = pick.sample(range(sizes.num_dst), (sizes.num_dst + 1) // 2)
        for slot in moved:
            dst[slot] = pick.randrange(sizes.tokens)
        await self.pack(moved, dst)
        assert self.memory.read(begin, region) == packed_bytes(sizes, q, dst)
        assert self.memory.read(begin + region, len(behind)) == behind


def sizes_of(config: EngineConfig) -> list[Sizes]:
    """One slot, a short last tile, a row of one beat, a row whose last beat is not full."""
    lanes, beat = config.channel_lanes, config.levels_per_beat
    most = min(config.max_tokens, 80)
    edges = [
        (2, 1, 1),
        (9, lanes, config.dst_lanes + 1),
        (20, beat, 2 * config.dst_lanes),
        (20, min(beat + 1, config.max_channels), 5),
        (20, config.max_channels - lanes, 7),
        (most, config.max_channels, min(config.max_dst, most - 1)),
    ]
    return [Sizes(config, n, d, m) for n, d, m in edges]


@cocotb.test()
async def every_size(dut: object) -> None:
    """Jobs one after another."""
    rig = Rig(Bench(dut))
    await rig.bench.reset()
    for seed, sizes in enumerate(sizes_of(rig.config)):
        await rig.run(sizes, seed)


@cocotb.test()
async def every_size_with_stalls(dut: object) -> None:
    """The same with stalls on every side."""
    rig = Rig(Bench(dut), stall=0.5)
    await rig.bench.reset()
    for seed, sizes in enumerate(sizes_of(rig.config)):
        await rig.run(sizes, seed)


@cocotb.test()
async def cycles_of_a_slot(dut: object) -> None:
    """A write beat a cycle, and a cycle more for each slot; 32 rows are requested ahead.

    Memory answers soon enough for 32 of the shortest rows to cover it.
    """
    rig = Rig(Bench(dut), latency=60)
    await rig.bench.reset()
    config = rig.config
    sizes = Sizes(config, 50, config.max_channels, min(40, config.max_dst))
    dst = torch.arange(sizes.num_dst)
    rig.load(sizes, 1)
    slots = [*range(sizes.num_dst), *range(40 - sizes.num_dst)]
    await rig.pack(slots, dst)
    cycles = [cycle for cycle, _, _ in rig.writer.beats]
    assert len(cycles) == len(slots) * sizes.tile_beats
    steps = [later - earlier for earlier, later in pairwise(cycles)]
    assert steps == [2 if (n + 1) % sizes.tile_beats == 0 else 1 for n in range(len(steps))]
    ahead = [cycle for cycle, _, _ in rig.reader.requests if cycle < cycles[0]]
    assert len(ahead) == 32


@cocotb.test()
async def idle_while_nothing_is_unwritten(dut: object) -> None:
    """Idle falls in the cycle after a slot was accepted."""
    rig = Rig(Bench(dut))
    await rig.bench.reset()
    sizes = Sizes(rig.config, 5, rig.config.max_channels, 2)
    rig.load(sizes, 2)
    await rig.bench.cycles(3)
    assert rig.dut.idle.value == 1
    rig.put([0], torch.tensor([0]))
    await rig.assign.drain()
    await rig.bench.cycles()
    assert rig.dut.idle.value == 0


@cocotb.test()
async def reset_in_mid_run(dut: object) -> None:
    """After a reset at any time nothing of the run before is left."""
    rig = Rig(Bench(dut))
    await rig.bench.reset()
    sizes = Sizes(rig.config, 20, rig.config.max_channels, 7)
    for seed, cycles in enumerate([1, 3, 101, 103, 104, 105, 120]):
        rig.load(sizes, seed)
        rig.put(range(5), torch.zeros(5, dtype=torch.int64))
        await rig.bench.cycles(cycles)
        await rig.reset()
        await rig.run(sizes, seed + 9)


@pytest.mark.parametrize("name", CONFIGS)
def test_packer(name: str) -> None:
    config = CONFIGS[name]
    simulate(Packer(config), __name__, f"packer_{name.replace('-', '_')}", given=config.as_dict())
