"""The quantizer's levels against exact fractions, a word a cycle."""

import math
from dataclasses import replace
from fractions import Fraction

import cocotb
import pytest
import torch

from golden.qe import channel_statistics, quantize
from hw.config import PRESETS, EngineConfig
from hw.quantize.fixed_point import SPAN_BITS
from hw.quantize.quantizer import Quantizer
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, Source, pack, set_value, unpack

CONFIGS = {
    "fp16": replace(PRESETS["tiny"], quantize_lanes=4),
    "bf16": replace(PRESETS["tiny"], token_format="bf16"),
}
DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
BIAS = {"fp16": 15, "bf16": 127}


def words_of(values: torch.Tensor) -> list[int]:
    """The 16-bit words of values."""
    return [word & 0xFFFF for word in values.contiguous().view(torch.int16).tolist()]


async def check(dut: object, tokens: torch.Tensor, stall: float) -> None:
    """Quantise tokens [N, L], each lane a channel, and compare levels and cycles."""
    config = EngineConfig(**parameters())
    lanes = config.quantize_lanes
    bench = Bench(dut)
    source = Source(bench, "word", stall=stall, seed=1)
    sink = Sink(bench, "levels")
    stats = channel_statistics(tokens)
    exponent = stats.unit_log2 + 39 + BIAS[config.token_format]
    set_value(dut.exponent, exponent)  # type: ignore[attr-defined]
    await bench.reset()
    fixed = pack(words_of(tokens.amin(dim=0)), 16) << 16 * lanes
    fixed |= pack(stats.span.tolist(), SPAN_BITS) << 32 * lanes
    source.put(fixed | pack(words_of(row), 16) for row in tokens)
    await sink.wait(len(tokens), limit=20_000)
    levels = torch.tensor([unpack(word, 4, lanes) for word in sink.words])
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
    generator = torch.Generator().manual_seed(11)
    dtype = DTYPES[config.token_format]
    bits = torch.randint(-(1 << 15), 1 << 15, (count, config.quantize_lanes), generator=generator)
    tokens = bits.to(torch.int16).view(dtype)
    tokens = torch.where(torch.isfinite(tokens), tokens, torch.zeros_like(tokens))
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
