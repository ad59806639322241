"""A whole pairing against the golden one: records, links, L, and the cycles that it takes."""

from dataclasses import replace

import cocotb
import pytest
import torch
from torch import Tensor

from golden.dau import Points, distances
from golden.min_tree import nearest
from hw.config import PRESETS, RECORD_BITS, EngineConfig
from hw.pair.pairing import LARGEST_REQUEST, Pairing
from hw.words import link, pair_record
from tb.jobs import (
    ADDRESS,
    MEMORY_BYTES,
    Sizes,
    packed_bytes,
    random_quantized,
    row_bytes,
    weight_words,
)
from tb.layouts import from_bytes
from tb.memory import Memory, ReadMemory, WriteMemory
from tb.runner import parameters, simulate
from tb.streams import Bench, Lookup, Sink, Watch, set_value

CONFIGS = {
    "tiny": PRESETS["tiny"],
    "tiny-shared": replace(PRESETS["tiny"], scale_group=4),
    "demo": PRESETS["demo"],
    "narrow": replace(PRESETS["tiny"], dst_lanes=1, src_lanes=1),
}
FILL_CYCLES = 80
"""Cycles to fill the pipeline with the first tiles and to drain it, beside memory latency."""


class PairingBench:
    """A `Pairing` with its memory, tables and links, all played by Python."""

    def __init__(self, dut: object, *, stall: float = 0.0, latency: int = 100):
        self.config = EngineConfig(**parameters())
        self.bench = Bench(dut)
        self.dut = self.bench.dut
        self.memory = Memory(MEMORY_BYTES)
        self.dst = torch.zeros(1, dtype=torch.int64)
        self.weights = [0]
        self.dut.run__start.value = 0
        self.readers = [
            ReadMemory(self.bench, name, self.config, self.memory, latency=latency, stall=stall)
            for name in ("read_dst", "read_src")
        ]
        self.writer = WriteMemory(
            self.bench, "write", self.config, self.memory, latency=latency, stall=stall
        )
        self.pushes = Sink(self.bench, "push", link(self.config), stall=stall)
        self._members: set[int] = set()
        Lookup(self.bench, "is_dst", lambda token: int(token in self._members))
        Lookup(self.bench, "dst", lambda slot: int(self.dst[slot]) if slot < len(self.dst) else 0)
        Lookup(
            self.bench,
            "weight",
            lambda chunk: self.weights[chunk] if chunk < len(self.weights) else 0,
        )

    def stop(self) -> None:
        """Stop every neighbour, as on a reset."""
        for reader in self.readers:
            reader.stop()
        self.writer.stop()
        self.pushes.stop()

    async def run(self, sizes: Sizes, seed: int, *, levels: int = 16) -> tuple[int, int]:
        """Run one pairing, compare everything; the cycles it took and those the DAU worked."""
        generator = torch.Generator().manual_seed(seed)
        tokens = random_quantized(sizes, generator, levels=levels)
        self.dst = torch.randperm(sizes.tokens, generator=generator)[: sizes.num_dst]
        self._members = set(self.dst.tolist())
        self.weights = weight_words(sizes, tokens.weight)
        self.memory.load(ADDRESS["QUANTIZED"], row_bytes(sizes, tokens.q))
        self.memory.load(ADDRESS["PACKED"], packed_bytes(sizes, tokens.q, self.dst))
        pushed = len(self.pushes.taken)
        set_value(self.dut.job, sizes.job())
        await self.bench.start()
        began, worked = self.bench.cycle, 0
        while True:
            await self.bench.cycles()
            worked += int(self.dut.busy.value)
            if self.dut.run__done.value:
                break
            assert self.bench.cycle - began < 20_000, "the pairing does not end"
        cycles = self.bench.cycle - began

        is_src = torch.ones(sizes.tokens, dtype=torch.bool)
        is_src[self.dst] = False
        src = is_src.nonzero().flatten()
        slot = nearest(Points(tokens), src, self.dst)
        table = distances(tokens, src, self.dst)
        loss = table.gather(1, slot[:, None]).flatten()
        content = self.memory.read(ADDRESS["RECORDS"], RECORD_BITS // 8 * len(src))
        columns = {"dst": self.dst[slot], "src": src, "loss": loss}
        assert from_bytes(pair_record(), content) == rows_of(columns)
        assert self.pushes.values[pushed:] == rows_of({"slot": slot, "src": src})
        assert int(self.dut.loss.value.to_unsigned()) == int(loss.sum())
        return cycles, worked


def rows_of(columns: dict[str, Tensor]) -> list[dict[str, int]]:
    """Columns of fields as the values of a layout."""
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def sizes_of(config: EngineConfig) -> list[Sizes]:
    """Edge sizes, then some of every shape."""
    lanes, beat = config.channel_lanes, config.levels_per_beat
    edges = [
        (2, 1, 1),
        (9, 1, 8),
        (9, lanes + 1, 1),
        (20, config.max_channels, 5),
        (2 * config.src_lanes + 3, beat - 1, 3),
        (config.max_dst + 1, lanes, config.max_dst),
    ]
    return [Sizes(config, n, d, m) for n, d, m in edges if d <= config.max_channels]


@cocotb.test()
async def exact_with_stalls(dut: object) -> None:
    """Every size, with stalls everywhere."""
    rig = PairingBench(dut, stall=0.3)
    await rig.bench.reset()
    for seed, sizes in enumerate(sizes_of(rig.config)):
        if sizes.tokens <= 200:
            await rig.run(sizes, seed, levels=2 if seed % 2 else 16)


@cocotb.test()
async def busy_without_stalls(dut: object) -> None:
    """The DAU takes each chunk once, and never waits where a tile covers loading the next."""
    rig = PairingBench(dut, latency=110)
    await rig.bench.reset()
    config = rig.config
    tokens = min(config.max_tokens, 120)
    num_dst = min(config.max_dst, 64)
    sizes = Sizes(config, tokens, config.max_channels, num_dst)
    busy = Watch(rig.bench, "busy")
    cycles, worked = await rig.run(sizes, 5)
    ideal = sizes.src_tiles * sizes.tiles * sizes.chunks
    assert worked == ideal
    assert busy.cycles[-1] - busy.cycles[0] + 1 == ideal, "the DAU waited"
    # Two latencies: the first rows, and the last records.
    load = config.src_lanes * sizes.chunks
    assert cycles <= ideal + 2 * 110 + FILL_CYCLES + 2 * load


@cocotb.test()
async def reset_in_mid_run(dut: object) -> None:
    """After a reset nothing of the run before is left."""
    rig = PairingBench(dut)
    await rig.bench.reset()
    sizes = Sizes(rig.config, 20, rig.config.max_channels, 5)
    set_value(rig.dut.job, sizes.job())
    await rig.bench.start()
    await rig.bench.cycles(160)
    rig.stop()
    await rig.bench.reset()
    again = PairingBench(dut)
    await again.run(sizes, 9)


@pytest.mark.parametrize("name", CONFIGS)
def test_pairing(name: str) -> None:
    config = CONFIGS[name]
    # Few beats a request in one config, so that the packed region takes several.
    component = Pairing(config, largest_request=5 if name == "narrow" else LARGEST_REQUEST)
    simulate(component, __name__, f"pairing_{name.replace('-', '_')}", given=config.as_dict())
