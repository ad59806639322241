"""Chunk weights: each chunk's weights and index, on its cycle, and when a row is complete."""

import random
from dataclasses import replace

import cocotb
import pytest

from hw.config import PRESETS, EngineConfig
from hw.quantize.chunk_weights import ChunkWeights
from hw.words import chunk_weights
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, Source, Watch, set_value

TINY = PRESETS["tiny"]
CONFIGS = {
    "own": TINY,
    "own-wide": replace(TINY, channel_lanes=8, weight_bits=3),
    "shared": replace(TINY, scale_group=4, weight_bits=5),
}


class Rig:
    """The unit, with a source of weights and a sink of chunks."""

    def __init__(self, dut: object, stall: float = 0.0):
        self.config = EngineConfig(**parameters())
        self.bench = Bench(dut)
        self.per_chunk = self.config.channel_lanes // self.config.scale_group
        self.complete = Watch(self.bench, "complete")
        self.starts = Watch(self.bench, "start")
        self.bench.dut.start.value = 0
        self.source = Source(self.bench, "weight", stall=stall, seed=1)
        self.sink = Sink(self.bench, "chunk", chunk_weights(self.config))

    def random_row(self, chunks: int, seed: int) -> list[int]:
        """The weights of a row of so many chunks."""
        pick = random.Random(seed)
        return [
            pick.randrange(1 << self.config.weight_bits) for _ in range(chunks * self.per_chunk)
        ]

    async def start(self, weights: list[int]) -> None:
        """Begin a row, and queue its weights."""
        self.source.sent.clear()
        self.sink.taken.clear()
        set_value(self.bench.dut.chunks, len(weights) // self.per_chunk)
        self.bench.dut.start.value = 1
        await self.bench.cycles()
        self.bench.dut.start.value = 0
        self.source.put(weights)

    async def run(self, weights: list[int]) -> None:
        """A whole row: its chunks, each on its cycle, and ``complete`` from its end on."""
        count = self.per_chunk
        chunks = [weights[i : i + count] for i in range(0, len(weights), count)]
        await self.start(weights)
        await self.sink.wait(len(chunks), limit=50 * len(weights))
        await self.bench.cycles(7)
        assert self.bench.dut.complete.value
        assert self.sink.values == [
            {"index": index, "weights": chunk} for index, chunk in enumerate(chunks)
        ]
        lasts = [cycle for cycle, _ in self.source.sent[count - 1 :: count]]
        assert [cycle for cycle, _ in self.sink.taken] == [c + ChunkWeights.latency for c in lasts]


@cocotb.test()
async def rows_of_any_length(dut: object) -> None:
    """Row after row, a weight a cycle; complete from the cycle after the last chunk to a start."""
    rig = Rig(dut)
    await rig.bench.reset()
    ends = []
    for seed, chunks in enumerate((rig.config.max_chunks, 1, 2, 1, rig.config.max_chunks)):
        await rig.run(rig.random_row(chunks, seed))
        sent = [cycle for cycle, _ in rig.source.sent]
        assert sent == list(range(sent[0], sent[0] + chunks * rig.per_chunk))
        ends.append(rig.sink.taken[-1][0])
    last_start = rig.starts.cycles[-1]
    assert [cycle for cycle in rig.complete.cycles if cycle <= last_start] == [
        cycle
        for end, start in zip(ends[:-1], rig.starts.cycles[1:], strict=True)
        for cycle in range(end + 1, start + 1)
    ]
    assert rig.complete.cycles[-1] > ends[-1]


@cocotb.test()
async def with_stalls(dut: object) -> None:
    """Weights that come late change nothing but when."""
    rig = Rig(dut, stall=0.6)
    await rig.bench.reset()
    for seed in range(5):
        await rig.run(rig.random_row(rig.config.max_chunks - seed % 2, seed))


@cocotb.test()
async def extreme_weights(dut: object) -> None:
    """A weight of all ones between zeros stays in its place."""
    rig = Rig(dut)
    await rig.bench.reset()
    length = 2 * rig.per_chunk
    for place in range(length):
        row = [0] * length
        row[place] = (1 << rig.config.weight_bits) - 1
        await rig.run(row)


@cocotb.test()
async def reset_in_mid_run(dut: object) -> None:
    """A reset after any number of weights leaves none of them behind, nor what they completed."""
    rig = Rig(dut)
    await rig.bench.reset()
    row = rig.random_row(2, 9)
    for count in range(1, len(row) + 1):
        await rig.start(row)
        while len(rig.source.sent) < count:
            await rig.bench.cycles()
        rig.source.stop()
        await rig.bench.reset()
        rig.source = Source(rig.bench, "weight")
        await rig.bench.cycles()
        assert not rig.bench.dut.complete.value
        await rig.run(rig.random_row(rig.config.max_chunks, count))


@pytest.mark.parametrize("name", CONFIGS)
def test_chunk_weights(name: str) -> None:
    config = CONFIGS[name]
    simulate(
        ChunkWeights(config), __name__, f"chunk_weights_{name.replace('-', '_')}",
        given=config.as_dict(),
    )  # fmt: skip
