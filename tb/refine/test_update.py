"""A whole dst update against the golden one: the slots that move, and where to."""

from dataclasses import replace

import cocotb
import pytest
import torch
from torch import Tensor

from golden.dau import Points
from golden.min_tree import nearest
from golden.update import update
from hw.config import PRESETS, EngineConfig
from hw.refine.links import group
from hw.refine.update import Update
from hw.words import assignment
from tb.jobs import ADDRESS, MEMORY_BYTES, Sizes, random_quantized, row_bytes, weight_words
from tb.layouts import encode
from tb.memory import Memory, ReadMemory
from tb.runner import parameters, simulate
from tb.streams import Bench, Lookup, Sink, set_value

CONFIGS = {
    "tiny": PRESETS["tiny"],
    "tiny-shared": replace(PRESETS["tiny"], scale_group=4),
    "demo": PRESETS["demo"],
}
DRAIN_CYCLES = 60


class UpdateBench:
    """An `Update` with its memory, links and tables, all played by Python."""

    def __init__(self, dut: object, *, stall: float = 0.0, latency: int = 100):
        self.config = EngineConfig(**parameters())
        self.bench = Bench(dut)
        self.dut = self.bench.dut
        self.memory = Memory(MEMORY_BYTES)
        self.latency = latency
        self.dut.run__start.value = 0
        self.reader = ReadMemory(
            self.bench, "read", self.config, self.memory, latency=latency, stall=stall
        )
        self.moves = Sink(self.bench, "assign", assignment(self.config), stall=stall)
        self._dst: list[int] = []
        self._groups: list[int] = []
        self._nexts: dict[int, int] = {}
        self._weights: list[int] = []
        Lookup(self.bench, "dst", lambda slot: _entry(self._dst, slot))
        Lookup(self.bench, "group", lambda slot: _entry(self._groups, slot))
        Lookup(self.bench, "next", lambda src: self._nexts.get(src, 0))
        Lookup(self.bench, "weight", lambda chunk: _entry(self._weights, chunk))

    def _link(self, slot: Tensor, dst: Tensor) -> None:
        """The lists that pushing the src in ascending order leaves."""
        heads, counts = [0] * len(dst), [0] * len(dst)
        self._nexts = {}
        is_dst = set(dst.tolist())
        for token, own in enumerate(slot.tolist()):
            if token not in is_dst:
                self._nexts[token] = heads[own]
                heads[own] = token
                counts[own] += 1
        self._groups = [
            encode(group(self.config), {"count": count, "head": head})
            for count, head in zip(counts, heads, strict=True)
        ]

    async def run(self, sizes: Sizes, seed: int, *, levels: int = 16) -> None:
        """Run one update on the groups of a pairing, and compare."""
        generator = torch.Generator().manual_seed(seed)
        tokens = random_quantized(sizes, generator, levels=levels)
        dst = torch.randperm(sizes.tokens, generator=generator)[: sizes.num_dst]
        everyone = torch.arange(sizes.tokens)
        slot = nearest(Points(tokens), everyone, dst)
        slot[dst] = torch.arange(sizes.num_dst)
        self._dst = dst.tolist()
        self._link(slot, dst)
        self._weights = weight_words(sizes, tokens.weight)
        self.memory.load(ADDRESS["QUANTIZED"], row_bytes(sizes, tokens.q))
        before = len(self.moves.taken)
        set_value(self.dut.job, sizes.job())
        await self.bench.start()
        began = self.bench.cycle
        await self.bench.done(50_000)

        expected = update(Points(tokens), slot, dst).tolist()
        moved = [j for j, old in enumerate(self._dst) if expected[j] != old]
        assert self.moves.values[before:] == [
            {"slot": j, "token": expected[j], "old": self._dst[j], "replaces": 1} for j in moved
        ]
        assert int(self.dut.moved.value.to_unsigned()) == len(moved)

        members = torch.bincount(slot, minlength=sizes.num_dst)
        rows = 2 * int(members[members >= 3].sum())
        assert len(self.reader.requests) == rows, "a group of one or two members was read"
        self.reader.requests.clear()
        if self.latency == 0:
            busy = rows * max(2, sizes.chunks)
            groups = int((members >= 3).sum())
            assert self.bench.cycle - began <= 2 * sizes.num_dst + busy + 4 * groups + DRAIN_CYCLES


def _entry(table: list[int], index: int) -> int:
    return table[index] if index < len(table) else 0


def sizes_of(config: EngineConfig) -> list[Sizes]:
    """Edge sizes, and a full one."""
    lanes = config.channel_lanes
    full = min(config.max_tokens, 100)
    return [
        Sizes(config, 2, 1, 1),
        Sizes(config, 3, 1, 1),
        Sizes(config, full, lanes, 1),
        Sizes(config, 20, config.max_channels, 19),
        Sizes(config, full, config.max_channels, full // 4),
        Sizes(config, full, 2 * lanes + 1, full // 5),
    ]


@cocotb.test()
async def exact_with_stalls(dut: object) -> None:
    """Every size, with stalls everywhere."""
    rig = UpdateBench(dut, stall=0.3)
    await rig.bench.reset()
    for seed, sizes in enumerate(sizes_of(rig.config)):
        for levels in (16, 2):
            await rig.run(sizes, seed, levels=levels)


@cocotb.test()
async def quick_without_stalls(dut: object) -> None:
    """With a memory that answers at once, the cycles that the docstring names."""
    rig = UpdateBench(dut, latency=0)
    await rig.bench.reset()
    for seed, sizes in enumerate(sizes_of(rig.config)):
        await rig.run(sizes, seed + 50)


@cocotb.test()
async def two_cycles_a_slot(dut: object) -> None:
    """Groups of one or two members cost 2 cycles each, and no memory."""
    rig = UpdateBench(dut, latency=0)
    await rig.bench.reset()
    took = []
    for num_dst in (7, 19):
        began = rig.bench.cycle
        await rig.run(Sizes(rig.config, num_dst + 1, 4, num_dst), 1)
        took.append(rig.bench.cycle - began)
    assert took[1] - took[0] == 2 * (19 - 7)


@cocotb.test()
async def tokens_all_alike(dut: object) -> None:
    """All scores tie: every dst stays."""
    rig = UpdateBench(dut)
    await rig.bench.reset()
    await rig.run(sizes_of(rig.config)[4], 3, levels=1)
    assert not rig.moves.taken


@cocotb.test()
async def reset_in_mid_run(dut: object) -> None:
    """After a reset nothing of the run before is left."""
    rig = UpdateBench(dut)
    await rig.bench.reset()
    sizes = sizes_of(rig.config)[4]
    update_run = cocotb.start_soon(rig.run(sizes, 4))
    await rig.bench.cycles(300)
    update_run.cancel()
    rig.reader.stop()
    rig.moves.stop()
    await rig.bench.reset()
    again = UpdateBench(dut)
    await again.run(sizes, 5)


@pytest.mark.parametrize("name", CONFIGS)
def test_update(name: str) -> None:
    config = CONFIGS[name]
    simulate(Update(config), __name__, f"update_{name.replace('-', '_')}", given=config.as_dict())
