"""The min tree against the golden running least: values, ties, and the cycle they appear in."""

from dataclasses import replace
from typing import Any

import cocotb
import pytest
import torch
from torch import Tensor

from golden.min_tree import Least, least, merge
from hw.config import PRESETS, EngineConfig
from hw.pair.min_tree import MinTree
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, Source

CONFIGS = {
    "tiny": PRESETS["tiny"],
    "demo": PRESETS["demo"],
    "one-dst-lane": replace(PRESETS["tiny"], dst_lanes=1),
    "eight-dst-lanes": replace(PRESETS["demo"], dst_lanes=8, src_lanes=2),
}


def random_distances(config: EngineConfig, num_dst: int, generator: torch.Generator) -> Tensor:
    """Distances [Q, M]: wide ones, or few values so that ties abound, or all the largest."""
    kind = int(torch.randint(0, 3, (), generator=generator))
    top = (1 << config.distance_bits) - 1
    shape = (config.src_lanes, num_dst)
    if kind == 0:
        return torch.randint(0, top + 1, shape, generator=generator)
    if kind == 1:
        return torch.randint(0, 3, shape, generator=generator)
    return torch.full(shape, top)


def tiles_of(config: EngineConfig, table: Tensor) -> list[dict[str, Any]]:
    """What carries the distances of one src tile, tile by tile of P dst."""
    lanes, num_dst = config.dst_lanes, table.shape[1]
    tiles = []
    for base in range(0, num_dst, lanes):
        valid = min(lanes, num_dst - base)
        # Lanes beyond the dst list hold rubbish that would win if it counted.
        tile = torch.zeros(config.src_lanes, lanes, dtype=torch.int64)
        tile[:, :valid] = table[:, base : base + valid]
        tiles.append(
            {
                "distances": tile.tolist(),
                "base": base,
                "valid_dst": (1 << valid) - 1,
                "first": base == 0,
                "last": base + lanes >= num_dst,
            }
        )
    return tiles


def golden_best(config: EngineConfig, table: Tensor) -> list[dict[str, int]]:
    """The nearest slot of each src, merged over the tiles in order."""
    best: Least | None = None
    for base in range(0, table.shape[1], config.dst_lanes):
        tile = least(table[:, base : base + config.dst_lanes], base)
        best = tile if best is None else merge(best, tile)
    assert best is not None
    return [
        {"slot": slot, "distance": distance}
        for slot, distance in zip(best.slot.tolist(), best.distance.tolist(), strict=True)
    ]


async def check(dut: object, stall: float) -> None:
    """Send src tiles with dst lists of every length; compare values and cycles."""
    config = EngineConfig(**parameters())
    component = MinTree(config)
    generator = torch.Generator().manual_seed(11)
    bench = Bench(dut)
    source = Source(bench, "tile", component.tile.payload.shape(), stall=stall, seed=5)
    sink = Sink(bench, "best", component.best.payload.shape())
    await bench.reset()
    lengths = [*range(1, 2 * config.dst_lanes + 2), config.max_dst] * 3
    tables = [random_distances(config, length, generator) for length in lengths]
    ends = []
    sent = 0
    for table in tables:
        tiles = tiles_of(config, table)
        source.put(tiles)
        sent += len(tiles)
        ends.append(sent - 1)
    await source.drain()
    await bench.cycles(component.latency + 2)

    assert sink.values == [golden_best(config, table) for table in tables]
    assert [c for c, _ in sink.taken] == [source.sent[end][0] + component.latency for end in ends]


@cocotb.test()
async def back_to_back(dut: object) -> None:
    """A tile every cycle."""
    await check(dut, stall=0.0)


@cocotb.test()
async def with_gaps(dut: object) -> None:
    """Idle cycles anywhere."""
    await check(dut, stall=0.5)


@pytest.mark.parametrize("name", CONFIGS)
def test_min_tree(name: str) -> None:
    config = CONFIGS[name]
    simulate(
        MinTree(config), __name__, f"min_tree_{name.replace('-', '_')}", given=config.as_dict()
    )
