"""The src loader against the rows in memory: tiles, requests, and the cycles of both."""

import random
from dataclasses import replace

import cocotb
import pytest
import torch

from hw.config import PRESETS, EngineConfig
from hw.pair.src_loader import SrcLoader
from tb.jobs import ADDRESS, MEMORY_BYTES, Sizes, random_quantized, row_bytes
from tb.layouts import decode
from tb.memory import LATENCY, Memory, ReadMemory
from tb.runner import parameters, simulate
from tb.streams import Bench, Lookup, Sink, Watch

CONFIGS = {
    "tiny": PRESETS["tiny"],
    "demo": PRESETS["demo"],
    "one-src-lane": replace(PRESETS["tiny"], src_lanes=1, channel_lanes=8, dst_lanes=1),
}


class Rig:
    """An `SrcLoader` with its memory and dst table; the test takes its tiles as the DAU does."""

    def __init__(self, bench: Bench, *, stall: float = 0.0):
        self.config = EngineConfig(**parameters())
        self.bench = bench
        self.dut = bench.dut
        self.memory = Memory(MEMORY_BYTES)
        self.started = Watch(bench, "start")
        self.beats = Watch(bench, "read__beat__valid")
        self.offered = Watch(bench, "tile__valid")
        self.dst: set[int] = set()
        self._pick = random.Random(f"{stall}")
        self._stall = stall
        self._row_chunks = SrcLoader(self.config).rows.entry.shape()
        self._connect()
        self.dut.start.value = self.dut.tile__ready.value = 0
        Lookup(bench, "is_dst", lambda token: int(token in self.dst))

    def _connect(self) -> None:
        self.reader = ReadMemory(
            self.bench, "read", self.config, self.memory, stall=self._stall, seed=1
        )
        self.src = Sink(self.bench, "src", stall=self._stall, seed=2)

    async def reset(self) -> None:
        """Reset the component, and the memory with it."""
        self.reader.stop()
        self.src.stop()
        await self.bench.reset()
        self._connect()

    async def start(self, sizes: Sizes, dst: set[int], seed: int) -> list[list[list[int]]]:
        """Start with random tokens in memory; returns the chunks of each src."""
        tokens = random_quantized(sizes, torch.Generator().manual_seed(seed))
        self.memory.load(ADDRESS["QUANTIZED"], row_bytes(sizes, tokens.q))
        self.dst = dst
        self.dut.num_src.value = sizes.tokens - sizes.num_dst
        self.dut.row_beats.value = sizes.row_beats
        self.dut.chunks.value = sizes.chunks
        self.dut.quantized_address.value = ADDRESS["QUANTIZED"]
        self.dut.start.value = 1
        await self.bench.cycles()
        self.dut.start.value = 0
        lanes = self.config.channel_lanes
        rows = []
        for token in range(sizes.tokens):
            if token not in dst:
                channels = tokens.q[token].tolist() + [0] * (sizes.chunks * lanes)
                rows.append([channels[k * lanes : (k + 1) * lanes] for k in range(sizes.chunks)])
        return rows

    async def take(self, sizes: Sizes, passes: int) -> list[list[list[int]]]:
        """Read the offered tile ``passes`` times; take it with the last chunk: [chunk][lane]."""
        for _ in range(20_000):
            await self.bench.cycles()
            if self.dut.tile__valid.value and self._pick.random() >= self._stall:
                break
        got = []
        reads = passes * sizes.chunks
        for read in range(reads + 1):
            self.dut.rows__index.value = read % sizes.chunks
            self.dut.tile__ready.value = int(read == reads - 1)
            await self.bench.cycles()
            assert read == reads or self.dut.tile__valid.value == 1
            if read > reads - sizes.chunks:
                word = int(self.dut.rows__entry.value.to_unsigned())
                got.append(decode(self._row_chunks, word))
        return got

    async def run(self, sizes: Sizes, dst: set[int], seed: int, *, passes: int = 1) -> None:
        """One job; compare all tiles, the announced src and the requests."""
        announced, requested = len(self.src.taken), len(self.reader.requests)
        rows = await self.start(sizes, dst, seed)
        lanes = self.config.src_lanes
        for base in range(0, len(rows), lanes):
            got = await self.take(sizes, passes)
            tile = rows[base : base + lanes]
            for k, chunks in enumerate(got):
                assert chunks[: len(tile)] == [row[k] for row in tile], (sizes, base, k)
        expected = [token for token in range(sizes.tokens) if token not in dst]
        assert self.src.words[announced:] == expected
        row = sizes.row_beats * self.config.bus_bytes
        assert [(address, beats) for _, address, beats in self.reader.requests[requested:]] == [
            (ADDRESS["QUANTIZED"] + token * row, sizes.row_beats) for token in expected
        ]


def jobs(config: EngineConfig) -> list[tuple[Sizes, set[int]]]:
    """Edge sizes, with the dst first, last and anywhere."""
    lanes, beat = config.channel_lanes, config.levels_per_beat
    pick = random.Random(5)
    most = min(config.max_tokens, 64)
    many = min(config.max_dst, most - 1)
    edges = [
        (2, 1, 1),
        (many + 1, lanes, many),
        (2 * config.src_lanes + 2, beat, 1),
        (2 * config.src_lanes + 1, min(beat + 1, config.max_channels), 1),
        (most, config.max_channels, most // 4),
    ]
    sizes = [Sizes(config, n, d, m) for n, d, m in edges]
    sets = [set(pick.sample(range(size.tokens), size.num_dst)) for size in sizes]
    last = Sizes(config, most, config.max_channels, many)
    return [
        *zip(sizes, sets, strict=True),
        (last, set(range(most - many, most))),
        (last, set(range(many))),
    ]


@cocotb.test()
async def every_size(dut: object) -> None:
    """Jobs one after another, the next started as the last tile is taken."""
    rig = Rig(Bench(dut))
    await rig.bench.reset()
    for seed, (sizes, dst) in enumerate(jobs(rig.config)):
        await rig.run(sizes, dst, seed, passes=1 + seed % 3)


@cocotb.test()
async def every_size_with_stalls(dut: object) -> None:
    """Stalls of memory, of the src stream and of the tiles' consumer."""
    rig = Rig(Bench(dut), stall=0.5)
    await rig.bench.reset()
    for seed, (sizes, dst) in enumerate(jobs(rig.config)):
        await rig.run(sizes, dst, seed, passes=1 + seed % 2)


@cocotb.test()
async def cycles_of_scan_and_load(dut: object) -> None:
    """A token every 2 cycles, a chunk a cycle while the tile before is in use."""
    rig = Rig(Bench(dut))
    await rig.bench.reset()
    config, lanes = rig.config, rig.config.src_lanes
    sizes = Sizes(config, 5 * lanes + 2, config.max_channels, 1)
    # One dst in the middle, so that each tile but the last is whole.
    dst = {lanes}
    await rig.start(sizes, dst, 3)
    rig.dut.tile__ready.value = 1
    for _ in range(2 * LATENCY + sizes.tokens * sizes.chunks):
        await rig.bench.cycles()
    src = [token for token in range(sizes.tokens) if token not in dst]
    examined = [rig.started.cycles[0] + 2 * (token + 1) for token in src]
    assert [cycle for cycle, _ in rig.src.taken] == examined
    assert [cycle for cycle, _, _ in rig.reader.requests] == examined
    first = rig.beats.cycles[0]
    rows = [*range(lanes, len(src), lanes), len(src)]
    assert rig.offered.cycles == [first + count * sizes.chunks for count in rows]


@cocotb.test()
async def two_tiles_are_buffered(dut: object) -> None:
    """While no tile is taken, two are loaded and the third stays in memory."""
    rig = Rig(Bench(dut))
    await rig.bench.reset()
    config = rig.config
    sizes = Sizes(config, 4 * config.src_lanes + 1, config.max_channels, 1)
    rows = await rig.start(sizes, {0}, 4)
    await rig.bench.cycles(2 * LATENCY + sizes.tokens * sizes.chunks)
    assert rig.dut.read__beat__valid.value == 1
    assert rig.dut.read__beat__ready.value == 0
    for base in range(0, len(rows), config.src_lanes):
        got = await rig.take(sizes, 1)
        tile = rows[base : base + config.src_lanes]
        assert got == [[row[k] for row in tile] for k in range(sizes.chunks)]


@cocotb.test()
async def reset_in_mid_run(dut: object) -> None:
    """After a reset at any time nothing of the run before is left."""
    rig = Rig(Bench(dut))
    await rig.bench.reset()
    sizes = Sizes(rig.config, 20, 16, 3)
    for seed, cycles in enumerate([1, 2, 7, LATENCY + 2, LATENCY + 5, LATENCY + 30]):
        await rig.start(sizes, {1, 2, 9}, seed)
        await rig.bench.cycles(cycles)
        await rig.reset()
        await rig.run(sizes, {0, 5, 19}, seed + 9)


@pytest.mark.parametrize("name", CONFIGS)
def test_src_loader(name: str) -> None:
    config = CONFIGS[name]
    simulate(
        SrcLoader(config), __name__, f"src_loader_{name.replace('-', '_')}", given=config.as_dict()
    )
