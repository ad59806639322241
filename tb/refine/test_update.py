"""A whole dst update against the golden one: what it writes, what it reads, and its cycles."""

from dataclasses import replace
from typing import Any

import cocotb
import pytest
import torch
from amaranth.hdl import ShapeLike
from torch import Tensor

from golden.dau import Points
from golden.update import update
from hw.config import DST_WORD_BITS, ENTRY_BITS, PRESETS, EngineConfig
from hw.refine.run_reader import RunReader
from hw.refine.update import Update
from hw.words import dst_word, entry, member_record
from tb.jobs import ADDRESS, MEMORY_BYTES, Sizes, random_quantized, row_bytes, weight_words
from tb.layouts import from_bytes, to_bytes
from tb.memory import LATENCY, Memory, ReadMemory, WriteMemory
from tb.runner import parameters, simulate
from tb.scratched import Scratched
from tb.streams import Bench, Lookup, set_value

CASES = {
    "tiny": (PRESETS["tiny"], 4),
    "tiny-shared": (replace(PRESETS["tiny"], scale_group=4), 128),
    "demo": (PRESETS["demo"], 8),
}
"""The config, and the tokens of the ring."""


class Rig:
    """An `Update` with its memory and weights."""

    def __init__(self, dut: object, *, stall: float = 0.0, latency: int = LATENCY):
        given = parameters()
        self.config = EngineConfig(**given["config"])
        self.bench = Bench(dut)
        self.dut = self.bench.dut
        self.memory = Memory(MEMORY_BYTES)
        self.dut.run__start.value = 0
        self.records, self.rows = (
            ReadMemory(
                self.bench, name, self.config, self.memory, latency=latency, stall=stall, seed=seed
            )
            for seed, name in enumerate(("read_records", "read_rows"))
        )
        self.writer = WriteMemory(
            self.bench, "write", self.config, self.memory, latency=latency, stall=stall, seed=3
        )
        self.busy = 0  # Cycles of the groups of the last run.
        self._weights: list[int] = []
        Lookup(self.bench, "weight", self._weight)

    def _weight(self, chunk: int) -> int:
        return self._weights[chunk] if chunk < len(self._weights) else 0

    def stop(self) -> None:
        """Stop all drivers, as on a reset."""
        for driver in (self.records, self.rows, self.writer):
            driver.stop()

    def words(self, region: str, shape: ShapeLike, word_bits: int, count: int) -> list[Any]:
        """The first words of a region."""
        return from_bytes(shape, self.memory.read(ADDRESS[region], count * word_bits // 8))

    async def run(self, sizes: Sizes, seed: int, *, levels: int = 16, changes: float = 1.0) -> int:
        """One update of uneven groups, of which a share has changed; its cycles."""
        generator = torch.Generator().manual_seed(seed)
        tokens = random_quantized(sizes, generator, levels=levels)
        dst = torch.randperm(sizes.tokens, generator=generator)[: sizes.num_dst]
        slot = (torch.rand(sizes.tokens, generator=generator) ** 2 * sizes.num_dst).long()
        slot[dst] = torch.arange(sizes.num_dst)
        count = torch.bincount(slot, minlength=sizes.num_dst) - 1

        def draws(shape: int, share: float) -> Tensor:
            return torch.rand(shape, generator=generator) < share

        change = draws(sizes.num_dst, changes)
        before = count + (change & draws(sizes.num_dst, 0.5)) * torch.randint(
            1, 3, (sizes.num_dst,), generator=generator
        )
        joined = draws(sizes.tokens, 0.5) & change[slot]
        joined[dst] = False
        self._load(sizes, tokens.q, slot, dst, before, joined)
        self._weights = weight_words(sizes, tokens.weight)
        self.rows.requests.clear()
        self.writer.requests.clear()
        set_value(self.dut.job, sizes.job())
        await self.bench.cycles()
        await self.bench.start()
        began = self.bench.cycle
        await self.bench.done(200_000)
        took = self.bench.cycle - began

        joins = torch.zeros(sizes.num_dst, dtype=torch.bool).index_put_(
            (slot[joined],), joined[joined]
        )
        read = (count >= 2) & (joins | (count != before))
        after = torch.where(read, update(Points(tokens), slot, dst), dst)
        self._compare(sizes, dst.tolist(), after.tolist(), count.tolist(), before.tolist())
        members = [int(n) + 1 for n in count[read]]
        assert len(self.rows.requests) == 2 * sum(members), "rows that nobody needs"
        self.busy = sum(Update.group_cycles(self.config, n, sizes.chunks) for n in members)
        return took

    def _load(
        self, sizes: Sizes, q: Tensor, slot: Tensor, dst: Tensor, before: Tensor, joined: Tensor
    ) -> None:
        """Fill the regions that are read, and those that are written with what stands there."""
        held = set(dst.tolist())
        records = [
            {
                "count": int(before[own]) if token in held else 0,
                "joined": int(joined[token]),
                "token": token,
                "is_src": int(token not in held),
                "slot": own,
                "zero": 0,
            }
            for token, own in enumerate(slot.tolist())
        ]
        records.sort(key=lambda each: (each["slot"], each["is_src"], each["token"]))
        self.memory.load(ADDRESS["RECORDS"], to_bytes(member_record(), records))
        self.memory.load(ADDRESS["QUANTIZED"], row_bytes(sizes, q))
        self._regions = {
            name: self.memory.read(ADDRESS[name], size)
            for name, size in (
                ("ENTRIES", (sizes.tokens + 8) * ENTRY_BITS // 8),
                ("DST", (sizes.num_dst + 8) * DST_WORD_BITS // 8),
                ("MOVED", (sizes.num_dst + 8) * DST_WORD_BITS // 8),
            )
        }

    def _compare(
        self, sizes: Sizes, dst: list[int], after: list[int], count: list[int], before: list[int]
    ) -> None:
        """Hold memory against what it held before, with the words that should be written."""
        expected = {name: bytearray(content) for name, content in self._regions.items()}
        words = 0

        def put(region: str, index: int, shape: ShapeLike, **fields: int) -> None:
            nonlocal words
            words += 1
            value = dict.fromkeys(dict(shape), 0) | fields
            content = to_bytes(shape, [value])
            expected[region][index * len(content) : (index + 1) * len(content)] = content

        moved = [j for j in range(sizes.num_dst) if after[j] != dst[j]]
        for j in range(sizes.num_dst):
            if j in moved or count[j] != before[j]:
                put("ENTRIES", after[j], entry(), is_dst=1, slot=j, count=count[j])
        for x, j in enumerate(moved):
            put("ENTRIES", dst[j], entry(), full=1, slot=j)
            put("DST", j, dst_word(), token=after[j], slot=j)
            put("MOVED", x, dst_word(), token=after[j], slot=j)
        for name, content in expected.items():
            assert self.memory.read(ADDRESS[name], len(content)) == content, name
        assert len(self.writer.requests) == words
        assert int(self.dut.moved.value.to_unsigned()) == len(moved)


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
@cocotb.parametrize(stall=[0.0, 0.4], levels=[16, 2])
async def every_size(dut: object, stall: float, levels: int) -> None:
    """Every size, one update after another."""
    rig = Rig(dut, stall=stall)
    await rig.bench.reset()
    for seed, sizes in enumerate(sizes_of(rig.config)):
        for changes in (1.0, 0.4):
            await rig.run(sizes, seed, levels=levels, changes=changes)
    rig.stop()


@cocotb.test()
async def cycles_of_groups(dut: object) -> None:
    """With a memory that answers at once: the groups' cycles, little more than the scan's."""
    rig = Rig(dut, latency=0)
    await rig.bench.reset()
    for seed, sizes in enumerate(sizes_of(rig.config)):
        took = await rig.run(sizes, seed + 50)
        scan = RunReader.scan_cycles(sizes.tokens, sizes.num_dst)
        assert max(scan, rig.busy) <= took <= scan + rig.busy + 3 * sizes.num_dst + 40
    rig.stop()


@cocotb.test()
async def nothing_changed(dut: object) -> None:
    """The scan alone: no row is read and no word written."""
    rig = Rig(dut, latency=0)
    await rig.bench.reset()
    spent = set()
    for sizes in sizes_of(rig.config):
        took = await rig.run(sizes, 7, changes=0)
        spent.add(took - RunReader.scan_cycles(sizes.tokens, sizes.num_dst))
        assert not rig.writer.requests
    assert len(spent) == 1
    assert spent.pop() < 16
    rig.stop()


@cocotb.test()
async def tokens_all_alike(dut: object) -> None:
    """All scores tie: every dst stays."""
    rig = Rig(dut)
    await rig.bench.reset()
    await rig.run(sizes_of(rig.config)[4], 3, levels=1)
    assert int(rig.dut.moved.value.to_unsigned()) == 0
    rig.stop()


@cocotb.test()
async def reset_in_mid_run(dut: object) -> None:
    """After a reset nothing of the run before is left."""
    rig = Rig(dut)
    await rig.bench.reset()
    sizes = sizes_of(rig.config)[4]
    for seed, cycles in enumerate([102, 130, 205, 230, 300, 420]):
        task = cocotb.start_soon(rig.run(sizes, seed))
        await rig.bench.cycles(cycles)
        task.cancel()
        rig.stop()
        await rig.bench.reset()
        rig = Rig(dut)
        await rig.run(sizes_of(rig.config)[5], seed + 10)
    rig.stop()


@pytest.mark.parametrize("name", CASES)
def test_update(name: str) -> None:
    config, ring = CASES[name]
    simulate(
        Scratched(config, Update(config, ring)),
        __name__,
        f"update_{name.replace('-', '_')}",
        given={"config": config.as_dict(), "ring": ring},
    )
