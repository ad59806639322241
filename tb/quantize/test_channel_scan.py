"""The channel scan against golden statistics: exponent and spans, on their cycles."""

from dataclasses import replace
from typing import Any

import cocotb
import numpy as np
import pytest
import torch
from cocotb.triggers import ReadWrite

from golden.qe import channel_statistics
from hw.config import PRESETS, EngineConfig
from hw.quantize.channel_scan import ChannelScan, channel_span
from tb.quantize.tokens import bounds_words, exponent_of, random_bits
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
    Lookup(bench, "bounds", lambda index: words[index] if words else 0)
    sink = Sink(bench, "span", channel_span(config), stall=stall, seed=3)
    dut.start.value = 0
    await bench.reset()
    for seed, channels in ((0, config.max_channels), (1, 16), (2, config.max_channels)):
        tokens = tokens_of(config, channels, seed)
        expected = channel_statistics(tokens)
        words[:] = bounds_words(config, tokens)
        set_value(dut.words, len(words))
        for measure in (1, 0):
            sink.taken.clear()
            dut.measure.value = measure
            dut.start.value = 1
            await bench.cycles()
            await ReadWrite()  # the edge is counted
            started = bench.cycle
            dut.start.value = 0
            await sink.wait(channels, limit=5000)
            assert sink.values == [
                {"channel": channel, "span": span, "last": int(channel == channels - 1)}
                for channel, span in enumerate(expected.span.tolist())
            ]
            assert int(dut.exponent.value) == exponent_of(config, expected)
            if stall == 0:
                cycles = ChannelScan.cycles(config, channels, measure=bool(measure))
                taken = [cycle for cycle, _ in sink.taken]
                assert taken[-1] - started == cycles
                assert set(np.diff(taken)) == {ChannelScan.latency(config)}


@cocotb.test()
async def without_stalls(dut: object) -> None:
    """Spans on the documented cycles."""
    await check(dut, 0.0)


@cocotb.test()
async def with_stalls(dut: object) -> None:
    """Spans that wait."""
    await check(dut, 0.6)


@pytest.mark.parametrize("name", CONFIGS)
def test_channel_scan(name: str) -> None:
    config = CONFIGS[name]
    simulate(ChannelScan(config), __name__, f"channel_scan_{name}", given=config.as_dict())
