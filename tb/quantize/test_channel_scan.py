"""The channel scan against golden statistics: exponent, spans and the largest, on their cycles."""

from dataclasses import replace
from typing import Any

import cocotb
import pytest
import torch
from cocotb.triggers import ReadWrite, RisingEdge

from golden.qe import channel_statistics
from hw.config import PRESETS, EngineConfig
from hw.quantize.channel_scan import ChannelScan
from hw.quantize.fixed_point import SPAN_BITS
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, pack, set_value

CONFIGS = {
    "fp16": PRESETS["tiny"],
    "bf16": replace(PRESETS["tiny"], token_format="bf16"),
}
DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}


class StatsModel:
    """Answers the scan's address with the statistics of a word, a cycle later."""

    def __init__(self, dut: Any):
        self.words: list[int] = []
        self._dut = dut
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        while True:
            await RisingEdge(self._dut.clk)
            if self.words:
                set_value(self._dut.entry, self.words[int(self._dut.address.value)])


def tokens_of(config: EngineConfig, channels: int, seed: int) -> torch.Tensor:
    """Random bits of unlike exponents, some channels constant, one of them the largest value."""
    generator = torch.Generator().manual_seed(seed)
    bits = torch.randint(-(1 << 15), 1 << 15, (3, channels), generator=generator)
    tokens = bits.to(torch.int16).view(DTYPES[config.token_format])
    tokens = torch.where(torch.isfinite(tokens), tokens, torch.zeros_like(tokens))
    tokens = (tokens.double() * 2.0 ** -(8 * seed)).to(tokens.dtype)
    tokens[:, 2] = torch.finfo(tokens.dtype).max
    tokens[:, 5] = tokens[0, 5]
    return tokens


async def check(dut: Any, stall: float) -> None:
    """Jobs of unlike exponents and lengths, each walked twice."""
    config = EngineConfig(**parameters())
    bench = Bench(dut)
    stats = StatsModel(dut)
    sink = Sink(bench, "span", stall=stall, seed=3)
    dut.start.value = 0
    await bench.reset()
    for seed, channels in ((0, config.max_channels), (1, 16), (2, config.max_channels)):
        tokens = tokens_of(config, channels, seed)
        expected = channel_statistics(tokens)
        # -0 never comes from the statistics.
        low, high = (
            (values + 0.0).view(torch.int16).tolist()
            for values in (tokens.amin(dim=0), tokens.amax(dim=0))
        )
        fields = [word & 0xFFFF for pair in zip(low, high, strict=True) for word in pair]
        step = 2 * config.values_per_beat
        stats.words = [pack(fields[i : i + step], 16) for i in range(0, len(fields), step)]
        set_value(dut.row_beats, len(stats.words))
        for measure in (1, 0):
            sink.taken.clear()
            dut.measure.value = measure
            dut.start.value = 1
            await bench.cycles()
            await ReadWrite()  # the edge is counted
            started = bench.cycle
            dut.start.value = 0
            words = await sink.wait(channels, limit=5000)
            assert [word & ((1 << SPAN_BITS) - 1) for word in words] == expected.span.tolist()
            assert [word >> SPAN_BITS for word in words] == [0] * (channels - 1) + [1]
            assert int(dut.largest.value) == int(expected.span.max())
            bias = 15 if config.token_format == "fp16" else 127
            assert int(dut.exponent.value) == expected.unit_log2 + 39 + bias
            if stall == 0:
                cycles = ChannelScan.cycles(config, channels, measure=bool(measure))
                assert sink.taken[-1][0] - started == cycles


@cocotb.test()
async def without_stalls(dut: object) -> None:
    """A span a cycle, on the documented cycle."""
    await check(dut, 0.0)


@cocotb.test()
async def with_stalls(dut: object) -> None:
    """Spans that wait."""
    await check(dut, 0.6)


@pytest.mark.parametrize("name", CONFIGS)
def test_channel_scan(name: str) -> None:
    config = CONFIGS[name]
    simulate(ChannelScan(config), __name__, f"channel_scan_{name}", given=config.as_dict())
