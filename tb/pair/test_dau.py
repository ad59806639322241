"""The DAU against golden distances: every tile's values, and the cycle in which they appear."""

import random
from dataclasses import replace
from typing import Any

import cocotb
import pytest
import torch
from cocotb.triggers import RisingEdge

from golden.dau import distances
from golden.qe import Quantized
from hw.config import PRESETS, EngineConfig
from hw.pair.dau import Dau
from tb.layouts import decode, encode
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, Source, set_value, unsigned

TILES = 60
CONFIGS = {
    "tiny": PRESETS["tiny"],
    "tiny-shared": replace(PRESETS["tiny"], scale_group=4),
    "demo": PRESETS["demo"],
    "demo-shared": replace(PRESETS["demo"], scale_group=16),
    "one-dst-lane": replace(PRESETS["tiny"], dst_lanes=1, src_lanes=4, channel_lanes=8),
}


def random_tile(config: EngineConfig, chunks: int, generator: torch.Generator) -> Quantized:
    """Q src tokens, then P dst tokens, of ``chunks`` chunks; some tiles are all extremes."""
    channels = chunks * config.channel_lanes
    tokens = config.src_lanes + config.dst_lanes
    q = torch.randint(0, 16, (tokens, channels), generator=generator)
    if torch.randint(0, 4, (), generator=generator) == 0:
        q = (q > 7) * 15
    weight = torch.randint(0, 256, (channels // config.scale_group,), generator=generator)
    if torch.randint(0, 4, (), generator=generator) == 0:
        weight[:] = 255
    return Quantized(
        q=q.to(torch.uint8),
        weight=weight.repeat_interleave(config.scale_group),
        step=torch.ones(channels),
        order=torch.arange(channels),
    )


def chunks_of(config: EngineConfig, tile: Quantized) -> list[dict[str, Any]]:
    """What carries ``tile`` through the DAU, chunk by chunk."""
    lanes, sources = config.channel_lanes, config.src_lanes
    rows, weights = tile.q.tolist(), tile.weight.tolist()
    chunks = len(rows[0]) // lanes
    given = []
    for k in range(chunks):
        span = slice(k * lanes, (k + 1) * lanes)
        tokens = [row[span] for row in rows]
        given.append(
            {
                "dst": tokens[sources:],
                "src": tokens[:sources],
                "weight": weights[span][:: config.scale_group],
                "first": k == 0,
                "last": k == chunks - 1,
            }
        )
    return given


def connect(
    bench: Bench, config: EngineConfig, *, stall: float = 0.0, seed: int = 0
) -> tuple[Source, Sink]:
    """The stream of chunks and that of the tiles' distances."""
    dau = Dau(config)
    source = Source(bench, "chunk", dau.chunk.payload.shape(), stall=stall, seed=seed)
    return source, Sink(bench, "tile", dau.tile.payload.shape())


async def check(dut: object, stall: float) -> None:
    """Send tiles of every length; compare each tile's distances and cycle."""
    config = EngineConfig(**parameters())
    generator = torch.Generator().manual_seed(7)
    bench = Bench(dut)
    source, sink = connect(bench, config, stall=stall, seed=3)
    await bench.reset()
    lengths = torch.randint(1, min(9, config.max_chunks) + 1, (TILES,), generator=generator)
    lengths[-1] = config.max_chunks
    tiles = [random_tile(config, int(n), generator) for n in lengths]
    for tile in tiles:
        source.put(chunks_of(config, tile))
    await source.drain()
    await bench.cycles(Dau.latency + 2)

    tokens = torch.arange(config.src_lanes + config.dst_lanes)
    src, dst = tokens[: config.src_lanes], tokens[config.src_lanes :]
    assert sink.values == [distances(tile, src, dst).tolist() for tile in tiles]

    ends = lengths.cumsum(0) - 1
    last_cycles = [source.sent[int(end)][0] for end in ends]
    assert [cycle for cycle, _ in sink.taken] == [cycle + Dau.latency for cycle in last_cycles]


@cocotb.test()
async def back_to_back(dut: object) -> None:
    """A chunk every cycle."""
    await check(dut, stall=0.0)


@cocotb.test()
async def with_gaps(dut: object) -> None:
    """Idle cycles anywhere."""
    await check(dut, stall=0.4)


def sums_of(chunks: list[dict[str, Any]]) -> list[list[list[int]]]:
    """After each chunk the sum of every pair so far, [src][dst]."""
    sums: list[list[list[int]]] = []
    for chunk in chunks:
        weights = chunk["weight"] * (len(chunk["dst"][0]) // len(chunk["weight"]))
        added = [
            [
                sum(w * (a - b) ** 2 for w, a, b in zip(weights, src, dst, strict=True))
                for dst in chunk["dst"]
            ]
            for src in chunk["src"]
        ]
        if not chunk["first"]:
            added = [
                [new + old for new, old in zip(*rows, strict=True)]
                for rows in zip(added, sums[-1], strict=True)
            ]
        sums.append(added)
    return sums


@cocotb.test()
async def tells_what_is_beyond_its_limit(dut: Any) -> None:
    """In every cycle of every pair: whether its sum was above its src's limit a cycle before."""
    config = EngineConfig(**parameters())
    generator = torch.Generator().manual_seed(9)
    chance = random.Random(9)
    bench = Bench(dut)
    source, _ = connect(bench, config, stall=0.3, seed=4)
    dau = Dau(config)
    await bench.reset()
    lengths = torch.randint(1, 7, (TILES // 2,), generator=generator)
    tiles = [random_tile(config, int(n), generator) for n in lengths]
    chunks = [chunk for tile in tiles for chunk in chunks_of(config, tile)]
    source.put(chunks)
    sums = sums_of(chunks)
    # Limits as large as some sum, or off by one: ties and near misses.
    near = [each for rows in sums for row in rows for each in row]
    largest = (1 << config.distance_bits) - 1
    limits: dict[int, list[int]] = {}
    told: dict[int, list[int]] = {}

    async def watch() -> None:
        while len(source.sent) < len(chunks) or bench.cycle <= source.sent[-1][0] + 9:
            drawn = [
                min(max(chance.choice(near) + chance.randint(-1, 1), 0), largest)
                for _ in range(config.src_lanes)
            ]
            set_value(dut.limit, encode(dau.limit.shape(), drawn))
            await RisingEdge(dut.clk)
            limits[bench.cycle] = drawn
            told[bench.cycle] = decode(dau.beyond.shape(), unsigned(dut.beyond.value))

    # As a task of its own, which a clock edge reaches after the bench has counted it.
    await cocotb.start_soon(watch())

    landed = {cycle + Dau.latency: place for place, (cycle, _) in enumerate(source.sent)}
    at = None
    seen = []
    for cycle in sorted(limits)[:-1]:
        at = landed.get(cycle, at)
        if at is not None:
            pairs = zip(sums[at], limits[cycle], strict=True)
            beyond = [[int(each > limit) for each in row] for row, limit in pairs]
            assert told[cycle + 1] == [
                sum(bit << lane for lane, bit in enumerate(row)) for row in beyond
            ], f"cycle {cycle}"
            seen += [bit for row in beyond for bit in row]
    assert 0.1 < sum(seen) / len(seen) < 0.9


@cocotb.test()
async def reset_within_a_tile(dut: object) -> None:
    """After a reset in mid-tile no half-summed distance appears and the next tile is exact."""
    config = EngineConfig(**parameters())
    generator = torch.Generator().manual_seed(8)
    bench = Bench(dut)
    source, sink = connect(bench, config)
    await bench.reset()
    dropped = random_tile(config, 3, generator)
    source.put(chunks_of(config, dropped)[:2])
    await source.drain()
    await bench.reset()
    await bench.cycles(Dau.latency + 2)
    assert not sink.taken

    tile = random_tile(config, 2, generator)
    source.put(chunks_of(config, tile))
    await sink.wait(1, limit=20)
    src = torch.arange(config.src_lanes)
    dst = torch.arange(config.dst_lanes) + config.src_lanes
    assert sink.values == [distances(tile, src, dst).tolist()]


@pytest.mark.parametrize("name", CONFIGS)
def test_dau(name: str) -> None:
    config = CONFIGS[name]
    simulate(Dau(config), __name__, f"dau_{name.replace('-', '_')}", given=config.as_dict())
