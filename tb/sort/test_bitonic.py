"""The bitonic sorter: by the 0-1 principle, with random records, and the cycle of each chunk."""

import random
from typing import Any

import cocotb
import pytest

from hw.config import PRESETS, RECORD_BITS, EngineConfig
from hw.sort.bitonic import BitonicSorter, records_layout
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, Source

ONES = (1 << RECORD_BITS) - 1
EXHAUSTIVE = 8
"""Widest network that gets every list of zeros and ones."""


def given_sorter() -> tuple[BitonicSorter, int]:
    """The sorter under test, for its latency, and its width."""
    width = parameters()["width"]
    return BitonicSorter(EngineConfig(**parameters()["config"]), width), width


def random_chunk(width: int, pick: random.Random) -> list[int]:
    """Wide records, few values so that ties abound, or a short list with all-ones behind it."""
    kind = pick.randrange(3)
    if kind == 0:
        return [pick.getrandbits(RECORD_BITS) for _ in range(width)]
    if kind == 1:
        return [pick.randrange(3) << pick.choice([0, 33, 63]) & ONES for _ in range(width)]
    used = pick.randint(0, width)
    return [pick.getrandbits(RECORD_BITS) for _ in range(used)] + [ONES] * (width - used)


async def check(dut: Any, chunks: list[list[int]], stall: float) -> None:
    """Send the chunks; each must come out sorted, `latency` cycles after it went in."""
    sorter, width = given_sorter()
    bench = Bench(dut)
    source = Source(bench, "chunk", records_layout(width), stall=stall, seed=2)
    sink = Sink(bench, "sorted", records_layout(width))
    await bench.reset()
    source.put(chunks)
    await source.drain()
    await bench.cycles(sorter.latency + 2)
    assert sink.values == [sorted(chunk) for chunk in chunks]
    assert [cycle for cycle, _ in sink.taken] == [c + sorter.latency for c, _ in source.sent]


@cocotb.test()
async def zeros_and_ones(dut: Any) -> None:
    """A network that sorts every list of zeros and ones sorts every list.

    Networks too wide for that get each list of two runs of ones, of any length at any place.
    """
    _, width = given_sorter()
    if width <= EXHAUSTIVE:
        lists = [[ONES * (bits >> i & 1) for i in range(width)] for bits in range(1 << width)]
    else:
        lists = [
            [ONES * (i < first or start <= i < end) for i in range(width)]
            for first in range(0, width, 3)
            for start in range(first, width, 2)
            for end in range(start, width + 1, 3)
        ]
    await check(dut, lists, stall=0.0)


@cocotb.test()
async def random_records(dut: Any) -> None:
    """Idle cycles anywhere."""
    pick = random.Random(9)
    chunks = [random_chunk(given_sorter()[1], pick) for _ in range(200)]
    await check(dut, chunks, stall=0.3)


@cocotb.test()
async def reset_within_the_network(dut: Any) -> None:
    """A reset drops every chunk under way; a network of one stage has none by then."""
    sorter, width = given_sorter()
    bench = Bench(dut)
    source = Source(bench, "chunk", records_layout(width))
    sink = Sink(bench, "sorted", records_layout(width))
    await bench.reset()
    chunk = list(range(width, 0, -1))
    source.put([chunk])
    await source.drain()
    await bench.reset(1)
    await bench.cycles(sorter.latency + 2)
    before = int(sorter.latency == 1)
    assert len(sink.taken) == before
    source.put([chunk])
    await sink.wait(before + 1, limit=sorter.latency + 5)
    assert sink.values == [sorted(chunk)] * (before + 1)


@pytest.mark.parametrize("width", [2, 4, 8, 16])
def test_bitonic(width: int) -> None:
    config = PRESETS["tiny"]
    given = {"config": config.as_dict(), "width": width}
    simulate(BitonicSorter(config, width), __name__, f"bitonic_{width}", given=given)


def test_default_width_is_the_configs() -> None:
    sorter = BitonicSorter(PRESETS["paper"])
    assert sorter.chunk.payload.shape().length == PRESETS["paper"].sorter_width


@pytest.mark.parametrize("width", [0, 1, 6])
def test_refuses_a_width_that_is_no_power_of_two(width: int) -> None:
    with pytest.raises(ValueError, match=f"width is {width}, but must be a power of two"):
        BitonicSorter(PRESETS["tiny"], width)
