"""The channel scan against golden statistics: exponent, spans and the largest, on their cycles."""

from dataclasses import replace
from typing import Any

import cocotb
import pytest
import torch
from cocotb.triggers import ReadWrite

from golden.qe import channel_statistics
from hw.config import PRESETS, EngineConfig
from hw.quantize.channel_scan import ChannelScan
from tb.quantize.tokens import exponent_of, random_bits, stats_words
from tb.runner import parameters, simulate
from tb.streams import Bench, Lookup, Sink, set_value

CONFIGS = {
    "fp16": PRESETS["tiny"],
    "bf16": replace(PRESETS["tiny"], token_format="bf16"),
}


def tokens_of(config: EngineConfig, channels: int, seed: int) -> torch.Tensor:
    """Random bits of unlike exponents, some channels constant, one of them the largest value."""
    tokens = random_bits(config, 3, channels, seed)
    tokens = (tokens.double() * 2.0 ** -(8 * seed)).to(tokens.dtype)
    tokens[:, 2] = torch.finfo(tokens.dtype).max
    tokens[:, 5] = tokens[0, 5]
    return tokens


async def check(dut: Any, stall: float) -> None:
    """Jobs of unlike exponents and lengths, each walked twice."""
    config = EngineConfig(**parameters())
    bench = Bench(dut)
    words: list[int] = []
    Lookup(bench, "stats", lambda index: words[index] if words else 0)
    sink = Sink(bench, "span", ChannelScan(config).span.payload.shape(), stall=stall, seed=3)
    dut.start.value = 0
    await bench.reset()
    for seed, channels in ((0, config.max_channels), (1, 16), (2, config.max_channels)):
        tokens = tokens_of(config, channels, seed)
        expected = channel_statistics(tokens)
        words[:] = stats_words(config, tokens)
        set_value(dut.row_beats, len(words))
        for measure in (1, 0):
            sink.taken.clear()
            dut.measure.value = measure
            dut.start.value = 1
            await bench.cycles()
            await ReadWrite()  # the edge is counted
            started = bench.cycle
            dut.start.value = 0
            await sink.wait(channels, limit=5000)
            spans, lasts = ([value[name] for value in sink.values] for name in ("span", "last"))
            assert spans == expected.span.tolist()
            assert lasts == [0] * (channels - 1) + [1]
            assert int(dut.largest.value) == int(expected.span.max())
            assert int(dut.exponent.value) == exponent_of(config, expected)
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
