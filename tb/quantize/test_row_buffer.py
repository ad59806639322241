"""The row buffer on single-port banks: rows in position order, on their cycles, under any stall."""

import random
from dataclasses import replace
from typing import Any

import cocotb
import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.config import BANK_BITS, LARGEST_LEVEL, LEVEL_BITS, PRESETS, EngineConfig
from hw.quantize.row_buffer import RowBuffer, placed_levels
from hw.quantize.tables import LEVELS_PER_WORD, Tables
from hw.scratchpad import with_scratchpad
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, Source, Watch, set_value

TINY = replace(PRESETS["tiny"], scale_group=4)
CONFIGS = {
    "two-lanes": TINY,
    "eight-lanes": replace(
        TINY, bus_bytes=32, max_channels=192, channel_lanes=8, scale_group=8, quantize_lanes=8
    ),
}
ROWS = 8
WORD = data.ArrayLayout(LEVEL_BITS, LEVELS_PER_WORD)


class BufferWithScratchpad(wiring.Component):
    """The unit with the tables' banks and a scratchpad."""

    def __init__(self, config: EngineConfig):
        self._config = config
        self._buffer = RowBuffer(config)
        super().__init__(
            {
                "words": In(self._buffer.words.shape()),
                "clear": In(1),
                "fill": In(stream.Signature(placed_levels(config), always_ready=True)),
                "word": Out(stream.Signature(BANK_BITS)),
                "drained": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.buffer = buffer = self._buffer
        m.submodules.tables = tables = Tables(self._config)
        with_scratchpad(m, self._config, tables.scratch)
        wiring.connect(m, buffer.banks, tables.row)
        wiring.connect(m, wiring.flipped(self.fill), buffer.fill)
        wiring.connect(m, buffer.word, wiring.flipped(self.word))
        m.d.comb += [
            buffer.words.eq(self.words),
            buffer.clear.eq(self.clear),
            self.drained.eq(buffer.drained),
        ]
        return m


class Rig:
    """The unit with what fills and empties it."""

    def __init__(self, dut: Any, stall_in: float = 0.0, stall_out: float = 0.0):
        self.config = EngineConfig(**parameters())
        self.bench = Bench(dut)
        self.dut = dut
        dut.clear.value = 0
        shape = placed_levels(self.config)
        self.source = Source(self.bench, "fill", shape, stall=stall_in, seed=1)
        self.sink = Sink(self.bench, "word", WORD, stall=stall_out, seed=2)
        self.drained = Watch(self.bench, "drained")
        self.clears = Watch(self.bench, "clear")

    def stop(self) -> None:
        """Before a reset."""
        self.source.stop()
        self.sink.stop()

    async def clear(self, channels: int) -> None:
        """Begin a job of rows of that length, as early as may be."""
        words = channels // LEVELS_PER_WORD
        set_value(self.dut.words, words)
        self.dut.clear.value = 1
        await self.bench.cycles()
        self.dut.clear.value = 0
        await self.bench.cycles(RowBuffer.clear_cycles(words) - 1)

    def fill(self, levels: list[int], positions: list[int]) -> None:
        """Queue a row, in channel order."""
        lanes = self.config.quantize_lanes
        self.source.put(
            {
                "levels": levels[i : i + lanes],
                "positions": positions[i : i + lanes],
                "last": int(i + lanes == len(levels)),
            }
            for i in range(0, len(levels), lanes)
        )

    async def job(self, channels: int, seed: int) -> None:
        """Rows in an order of their own; each on its cycles where nothing stalls."""
        rng = np.random.default_rng(seed)
        positions = rng.permutation(channels).tolist()
        words = channels // LEVELS_PER_WORD
        self.source.sent.clear()
        await self.clear(channels)
        for row in range(ROWS):
            self.sink.taken.clear()
            self.drained.cycles.clear()
            levels = rng.integers(0, LARGEST_LEVEL + 1, channels).tolist()
            self.fill(levels, positions)
            await self.sink.wait(words, limit=50 * channels)
            expected = [0] * channels
            for level, position in zip(levels, positions, strict=True):
                expected[position] = level
            assert [level for word in self.sink.values for level in word] == expected
            if row == 0 and self.free:
                cleared = self.clears.cycles[-1] + RowBuffer.clear_cycles(words)
                assert self.source.sent[0][0] == cleared
            await self.bench.cycles()
            cycles = [cycle for cycle, _ in self.sink.taken]
            assert self.drained.cycles == [cycles[-1]]
            if self.free:
                first = self.source.sent[-1][0] + RowBuffer.latency
                assert cycles == list(range(first, first + words))

    free = True


@cocotb.test()
async def rows_of_any_length(dut: Any) -> None:
    """Job after job, each with other places and another length."""
    rig = Rig(dut)
    await rig.bench.reset()
    for seed, beats in enumerate((rig.config.max_row_beats, 1, rig.config.max_row_beats, 2)):
        await rig.job(beats * rig.config.levels_per_beat, seed)


@cocotb.test()
async def with_stalls(dut: Any) -> None:
    """Levels with gaps, a slow taker, and both."""
    for stalls in ((0.6, 0.0), (0.0, 0.6), (0.4, 0.9)):
        rig = Rig(dut, *stalls)
        rig.free = False
        await rig.bench.reset()
        for seed in range(3):
            await rig.job(rig.config.levels_per_beat * (1 + seed % 2), seed)
        rig.stop()


@cocotb.test()
async def reset_in_mid_row(dut: Any) -> None:
    """A reset while clearing, filling or draining leaves nothing behind."""
    pick = random.Random(3)
    for cycles in (1, 3, 20, 60, 70):
        rig = Rig(dut)
        channels = rig.config.max_channels
        await rig.bench.reset()
        await rig.clear(channels)
        rig.fill([LARGEST_LEVEL] * channels, pick.sample(range(channels), channels))
        await rig.bench.cycles(cycles)
        rig.stop()
        await rig.bench.reset()
        rig = Rig(dut)
        await rig.job(rig.config.levels_per_beat, cycles)
        rig.stop()


@pytest.mark.parametrize("name", CONFIGS)
def test_row_buffer(name: str) -> None:
    config = CONFIGS[name]
    simulate(
        BufferWithScratchpad(config), __name__, f"row_buffer_{name.replace('-', '_')}",
        given=config.as_dict(),
    )  # fmt: skip
