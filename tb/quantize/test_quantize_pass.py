"""The quantise pass on single-port banks: levels by the formula, in order, on their cycles."""

import random
from dataclasses import replace
from typing import Any

import cocotb
import numpy as np
import pytest
from amaranth.hdl import Module, Mux
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.config import LEVEL_BITS, PRESETS, EngineConfig
from hw.quantize.fixed_point import exponent_bits
from hw.quantize.lanes import revisit_word, value_word
from hw.quantize.quantize_pass import QuantizePass
from hw.quantize.row_buffer import RowBuffer
from hw.quantize.tables import LEVELS_PER_WORD, Tables, group_span
from hw.scratchpad import with_scratchpad
from tb.quantize.tokens import order_keys, ordinary, row_words
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, Source, set_value

TINY = PRESETS["tiny"]
CONFIGS = {
    "own": TINY,
    "own-bf16": replace(TINY, token_format="bf16", quantize_lanes=4),
    "shared": replace(TINY, scale_group=4),
    "shared-bf16": replace(TINY, scale_group=4, token_format="bf16", quantize_lanes=4),
    "all-lanes": replace(TINY, scale_group=8, channel_lanes=8, quantize_lanes=8),
}
BF16_EXPONENT = 140
"""Above that of every token here, so that values are rounded to the unit."""
ROWS = 14


class PassWithScratchpad(wiring.Component):
    """The unit with its tables and a scratchpad, into which ``bounds`` and ``group`` write."""

    def __init__(self, config: EngineConfig):
        self._config = config
        self._pass = QuantizePass(config)
        ports: dict[str, Any] = {
            "word": In(stream.Signature(value_word(config))),
            "exponent": In(exponent_bits(config)),
            "quantized": Out(stream.Signature(len(self._pass.quantized.payload))),
            "bounds": In(stream.Signature(revisit_word(config), always_ready=True)),
        }
        if config.scale_group > 1:
            ports |= {
                "row_beats": In(range(config.max_row_beats + 1)),
                "clear": In(1),
                "group": In(stream.Signature(group_span(config), always_ready=True)),
            }
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.quantize = quantize = self._pass
        m.submodules.tables = tables = Tables(self._config)
        with_scratchpad(m, self._config, tables.scratch)
        wiring.connect(m, wiring.flipped(self.word), quantize.word)
        wiring.connect(m, quantize.quantized, wiring.flipped(self.quantized))
        wiring.connect(m, quantize.bounds, tables.bounds)
        written = self.bounds
        m.d.comb += [
            quantize.exponent.eq(self.exponent),
            tables.revisit.valid.eq(written.valid),
            tables.revisit.payload.eq(written.payload),
        ]
        if self._config.scale_group > 1:
            wiring.connect(m, wiring.flipped(self.group), tables.group)
            wiring.connect(m, quantize.row, tables.row)
            for asker, table in zip(quantize.groups, tables.groups, strict=True):
                wiring.connect(m, asker, table)
            again = quantize.revisit
            m.d.comb += [
                tables.revisit.valid.eq(written.valid | again.valid),
                tables.revisit.payload.eq(Mux(written.valid, written.payload, again.payload)),
                quantize.row_beats.eq(self.row_beats),
                quantize.clear.eq(self.clear),
                quantize.positions.eq(tables.positions),
            ]
        return m


class Rig:
    """The unit with what it reads and writes."""

    def __init__(self, dut: Any, stall_in: float = 0.0, stall_out: float = 0.0):
        self.config = config = EngineConfig(**parameters())
        self.bench = Bench(dut)
        self.dut = dut
        self.shared = config.scale_group > 1
        per_word = LEVELS_PER_WORD if self.shared else config.quantize_lanes
        quantized = data.ArrayLayout(LEVEL_BITS, per_word)
        self.source = Source(self.bench, "word", value_word(config), stall=stall_in, seed=1)
        self.sink = Sink(self.bench, "quantized", quantized, stall=stall_out, seed=2)
        self.bounds = Source(self.bench, "bounds", revisit_word(config))
        self.groups = Source(self.bench, "group", group_span(config)) if self.shared else None
        set_value(dut.exponent, BF16_EXPONENT if config.token_format == "bf16" else 30)
        if self.shared:
            dut.clear.value = 0

    def stop(self) -> None:
        """Before a reset."""
        for part in (self.source, self.sink, self.bounds, self.groups):
            if part is not None:
                part.stop()

    async def write_tables(
        self, lows: list[int], highs: list[int], spans: list[int], row_beats: int
    ) -> None:
        """Bounds, or lows and positions, and spans of groups; and a clear row."""
        lanes = self.config.quantize_lanes
        for values, low, high in ((lows, -1, 0), (highs, 0, -1)):
            self.bounds.put(
                {
                    "index": i // lanes,
                    "write": 1,
                    "value": values[i : i + lanes],
                    "low": low & ((1 << lanes) - 1),
                    "high": high & ((1 << lanes) - 1),
                }
                for i in range(0, len(values), lanes)
            )
        if self.groups is not None:
            set_value(self.dut.row_beats, row_beats)
            self.groups.put({"group": i, "span": span} for i, span in enumerate(spans))
            await self.groups.drain()
            self.dut.clear.value = 1
            await self.bench.cycles()
            self.dut.clear.value = 0
            words = row_beats * self.config.levels_per_beat // LEVELS_PER_WORD
            await self.bench.cycles(RowBuffer.clear_cycles(words) - 1)
        await self.bounds.drain()

    async def job(self, row_beats: int, seed: int) -> None:
        """Rows of random channels, all of them against the formula."""
        config = self.config
        channels = row_beats * config.levels_per_beat
        tokens = ordinary(config, ROWS, channels, seed)
        exponent = -24 if config.token_format == "fp16" else BF16_EXPONENT - 127 - 39
        fixed = np.trunc(tokens.double().numpy() * 2.0**-exponent).astype(np.int64)
        low, high = fixed.min(axis=0), fixed.max(axis=0)
        lows, highs = order_keys(tokens.amin(dim=0)), order_keys(tokens.amax(dim=0))
        span, order, group_spans = high - low, np.arange(channels), [0]
        if self.shared:
            order = np.argsort(-span, kind="stable")
            group_spans = span[order][:: config.scale_group].tolist()
            span = np.empty_like(span)
            span[order] = np.repeat(group_spans, config.scale_group)
            highs = np.argsort(order).tolist()
        levels = (30 * (fixed - low) + span) // np.maximum(2 * span, 1) * (span > 0)

        self.sink.taken.clear()
        self.source.sent.clear()
        await self.write_tables(lows, highs, group_spans, row_beats)
        self.source.put(word for row in tokens for word in row_words(config, row))
        words = ROWS * channels // (LEVELS_PER_WORD if self.shared else config.quantize_lanes)
        await self.sink.wait(words, limit=100 * words + 1000)
        found = np.array(self.sink.values).reshape(ROWS, channels)
        assert (found == levels[:, order]).all()

    def check_cycles(self, row_beats: int) -> None:
        """Of the last job, where nothing stalled."""
        config = self.config
        sent, taken = (
            [cycle for cycle, _ in pairs] for pairs in (self.source.sent, self.sink.taken)
        )
        row_words_in, row_words_out = len(sent) // ROWS, len(taken) // ROWS
        begins = sent[row_words_in - 1 if self.shared else 0]
        assert taken[0] == begins + QuantizePass.latency(config)
        period = QuantizePass.row_cycles(config, row_beats)
        assert set(np.diff(sent[::row_words_in])) == {period}
        assert set(np.diff(taken[::row_words_out])) == {period}


@cocotb.test()
async def rows_of_any_length(dut: Any) -> None:
    """Job after job, each with other channels."""
    rig = Rig(dut)
    await rig.bench.reset()
    for seed, row_beats in enumerate((rig.config.max_row_beats, 1, rig.config.max_row_beats)):
        await rig.job(row_beats, seed)
        rig.check_cycles(row_beats)


@cocotb.test()
async def with_stalls(dut: Any) -> None:
    """Words with gaps, a slow taker, and both."""
    for stalls in ((0.2, 0.0), (0.6, 0.0), (0.0, 0.6), (0.4, 0.9)):
        rig = Rig(dut, *stalls)
        await rig.bench.reset()
        for seed in range(2):
            await rig.job(1 + seed, seed)
        rig.stop()


@cocotb.test()
async def reset_in_mid_row(dut: Any) -> None:
    """A reset at any time leaves nothing behind."""
    pick = random.Random(2)
    for _ in range(6):
        rig = Rig(dut)
        await rig.bench.reset()
        rig.source.put(
            row_words(rig.config, ordinary(rig.config, 1, rig.config.max_channels, 1)[0])
        )
        await rig.bench.cycles(pick.randrange(1, 80))
        rig.stop()
        await rig.bench.reset()
        rig = Rig(dut)
        await rig.job(1, 3)
        rig.stop()


@pytest.mark.parametrize("name", CONFIGS)
def test_quantize_pass(name: str) -> None:
    config = CONFIGS[name]
    simulate(
        PassWithScratchpad(config), __name__, f"quantize_pass_{name.replace('-', '_')}",
        given=config.as_dict(),
    )  # fmt: skip
