"""The quantizer's levels against exact fractions, a word a cycle."""

import math
from dataclasses import replace
from fractions import Fraction

import cocotb
import pytest
import torch

from golden.qe import channel_statistics, quantize
from hw.config import PRESETS, EngineConfig
from hw.quantize.quantizer import Quantizer, level_word
from tb.quantize.tokens import exponent_of, random_bits, value_words
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, Source, set_value

CONFIGS = {
    "fp16": replace(PRESETS["tiny"], quantize_lanes=4),
    "bf16": replace(PRESETS["tiny"], token_format="bf16"),
}


async def check(dut: object, tokens: torch.Tensor, stall: float) -> None:
    """Quantise tokens [N, L], each lane a channel, and compare levels and cycles."""
    config = EngineConfig(**parameters())
    lanes = config.quantize_lanes
    bench = Bench(dut)
    word = Quantizer(config).word.payload.shape()
    source = Source(bench, "word", word, stall=stall, seed=1)
    sink = Sink(bench, "levels", level_word(config))
    stats = channel_statistics(tokens)
    set_value(dut.exponent, exponent_of(config, stats))  # type: ignore[attr-defined]
    await bench.reset()
    channels = {"lows": value_words(tokens.amin(dim=0)), "spans": stats.span.tolist()}
    source.put(channels | {"values": value_words(row)} for row in tokens)
    await sink.wait(len(tokens), limit=20_000)
    levels = torch.tensor(sink.values)
    assert torch.equal(levels.to(torch.uint8), quantize(tokens, token_format=config.token_format).q)  # type: ignore[arg-type]
    assert [cycle for cycle, _ in sink.taken] == [c + Quantizer.latency for c, _ in source.sent]

    if config.token_format == "fp16":
        # Exact, so that docs/definition.md, 'Quantise', says it without golden.
        for channel in range(lanes):
            column = [Fraction(value) for value in tokens[:, channel].double().tolist()]
            low, step = min(column), (max(column) - min(column)) / 15
            expected = [
                math.floor((x - low) / step + Fraction(1, 2)) if step else 0 for x in column
            ]
            assert levels[:, channel].tolist() == expected


def tokens_of(config: EngineConfig, count: int) -> torch.Tensor:
    """Random bits, half-way cases, subnormals and a constant, a lane each."""
    tokens = random_bits(config, count, config.quantize_lanes, 11)
    dtype = tokens.dtype
    # Multiples of half a level from 0 to 15: every half-way case.
    tokens[:, 1] = (torch.arange(count) % 31).to(dtype) / 2
    if config.quantize_lanes > 2:
        tokens[:, 2] = torch.arange(count).to(dtype) * torch.finfo(dtype).smallest_normal / 64
        tokens[:, 3] = -7.0
    return tokens


@cocotb.test()
async def back_to_back(dut: object) -> None:
    """A word every cycle."""
    await check(dut, tokens_of(EngineConfig(**parameters()), 900), 0.0)


@cocotb.test()
async def with_gaps(dut: object) -> None:
    """Idle cycles anywhere."""
    await check(dut, tokens_of(EngineConfig(**parameters()), 60), 0.5)


@pytest.mark.parametrize("name", CONFIGS)
def test_quantizer(name: str) -> None:
    config = CONFIGS[name]
    simulate(Quantizer(config), __name__, f"quantizer_{name}", given=config.as_dict())
