"""The quantizer's levels against exact fractions, a word a cycle, each with spans of its own."""

import math
import random
from dataclasses import replace
from fractions import Fraction
from typing import Any

import cocotb
import pytest
import torch

from hw.config import FIXED_BITS, PRESETS, EngineConfig
from hw.quantize.fixed_point import SPAN_BITS
from hw.quantize.lanes import level_word
from hw.quantize.quantizer import Quantizer
from tb.layouts import decode, encode
from tb.quantize.tokens import BIAS, random_bits, value_words
from tb.runner import parameters, simulate
from tb.streams import Bench, set_value

CONFIGS = {
    "fp16": replace(PRESETS["tiny"], quantize_lanes=4),
    "bf16": replace(PRESETS["tiny"], token_format="bf16"),
}
WORDS = 2500


def fixed(value: float, unit: Fraction) -> int:
    """X of docs/definition.md, 'Quantise'."""
    return math.trunc(Fraction(value) / unit)


def span_of(distance: int, pick: random.Random) -> int:
    """A span that is no less: any, or one that makes a level whole, or half-way, or nearly so."""
    kind = pick.randrange(5)
    if kind == 0:
        return pick.randrange(distance, 1 << SPAN_BITS)
    if kind == 1:
        return distance
    # 30 d + R = 2 R q at the least d of level q.
    level = pick.randrange(1, 16)
    span = 30 * distance // (2 * level - 1) + pick.randrange(-1, 2)
    return min(max(span, distance), (1 << SPAN_BITS) - 1)


def words_of(
    config: EngineConfig, exponent: int
) -> list[tuple[dict[str, Any], list[tuple[int, int]]]]:
    """Random words, each with the distances and the spans of its lanes."""
    pick = random.Random(7)
    lanes = config.quantize_lanes
    bias = BIAS[config.token_format]
    unit = Fraction(2) ** (exponent - bias - FIXED_BITS + 1)
    tokens = random_bits(config, 2 * WORDS, lanes, 3).reshape(WORDS, 2, lanes)
    tokens = torch.where(tokens.abs() < 2.0 ** (exponent - bias + 1), tokens, 1.5)
    tokens[: WORDS // 4, 1] = tokens[: WORDS // 4, 0]
    near = tokens[WORDS // 4 : WORDS // 2]
    near[:, 1] = (near[:, 0].double() * 0.99).to(near.dtype)
    lows, values = tokens.amin(dim=1) + 0.0, tokens.amax(dim=1)
    words = []
    for low, value in zip(lows, values, strict=True):
        distances = [
            fixed(top, unit) - fixed(least, unit)
            for top, least in zip(value.tolist(), low.tolist(), strict=True)
        ]
        spans = [span_of(distance, pick) for distance in distances]
        word = {"values": value_words(value), "lows": value_words(low)}
        words.append((word, list(zip(distances, spans, strict=True))))
    return words


@cocotb.test()
async def levels(dut: Any) -> None:
    """Back to back and with gaps: each level on its cycle, with the span of its own cycle."""
    config = EngineConfig(**parameters())
    bench = Bench(dut)
    shape = Quantizer(config).word.payload.shape()
    exponent = 30 if config.token_format == "fp16" else 160
    set_value(dut.exponent, exponent)
    dut.word__valid.value = 0
    await bench.reset()
    pick = random.Random(1)
    latency, wait = Quantizer.latency(config), Quantizer.span_cycle(config)
    pending = words_of(config, exponent)
    count = len(pending)
    on_the_way: list[list[tuple[int, int]] | None] = [None] * (latency + 1)
    found = 0
    while found < count:
        given = None
        if pending and (len(pending) > count // 2 or pick.random() < 0.5):
            word, given = pending.pop(0)
            set_value(dut.word__payload, encode(shape, word))
        dut.word__valid.value = int(given is not None)
        on_the_way = [given, *on_the_way[:-1]]
        due = on_the_way[wait]
        spans = (
            [span for _, span in due] if due else [pick.getrandbits(SPAN_BITS)] * len(word["lows"])
        )
        set_value(dut.spans, sum(span << SPAN_BITS * i for i, span in enumerate(spans)))
        await bench.cycles()
        # An edge shows the outputs of the cycle that it ends.
        expected = on_the_way[latency]
        assert bool(dut.levels__valid.value) == (expected is not None)
        if expected is not None:
            quotients = [(30 * d + r) // (2 * r) if r else 0 for d, r in expected]
            assert decode(level_word(config), int(dut.levels__payload.value)) == quotients
            found += 1


@pytest.mark.parametrize("name", CONFIGS)
def test_quantizer(name: str) -> None:
    config = CONFIGS[name]
    simulate(Quantizer(config), __name__, f"quantizer_{name}", given=config.as_dict())
