"""Differences in fixed point against exact fractions, and order keys against float order."""

import math
from dataclasses import replace
from fractions import Fraction

import cocotb
import numpy as np
import pytest
import torch
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.config import FIXED_BITS, PRESETS, VALUE_BITS, EngineConfig
from hw.quantize.fixed_point import FixedPointDifference, is_finite, key_value, order_key
from tb.quantize.tokens import DTYPES
from tb.runner import parameters, simulate
from tb.streams import Bench, set_value

CONFIGS = {
    "fp16": PRESETS["tiny"],
    "bf16": replace(PRESETS["tiny"], token_format="bf16"),
}


class Keys(wiring.Component):
    """The pure functions between ports, all of latency 0, beside the difference."""

    def __init__(self, config: EngineConfig):
        self._config = config
        self._difference = FixedPointDifference(config)
        super().__init__(
            {
                "upper": In(VALUE_BITS),
                "lower": In(VALUE_BITS),
                "exponent": In(self._difference.exponent.shape()),
                "difference": Out(self._difference.difference.shape()),
                "key": Out(VALUE_BITS),
                "back": Out(VALUE_BITS),
                "finite": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.difference = self._difference
        m.d.comb += [
            self._difference.upper.eq(self.upper),
            self._difference.lower.eq(self.lower),
            self._difference.exponent.eq(self.exponent),
            self.difference.eq(self._difference.difference),
            self.key.eq(order_key(self.upper)),
            self.back.eq(key_value(order_key(self.upper))),
            self.finite.eq(is_finite(self._config, self.upper)),
        ]
        return m


def values_of(config: EngineConfig, words: np.ndarray) -> list[float]:
    """The values that 16-bit words stand for."""
    tensor = torch.from_numpy(words.astype(np.uint16).view(np.int16).copy())
    values: list[float] = tensor.view(DTYPES[config.token_format]).double().tolist()
    return values


@cocotb.test()
async def differences(dut: object) -> None:
    """A pair a cycle: random bits, neighbours, zeros of both signs, the ends of the range."""
    config = EngineConfig(**parameters())
    bench = Bench(dut)
    await bench.reset()
    rng = np.random.default_rng(6)
    words = rng.integers(0, 1 << 16, (3000, 2))
    words[1000:2000, 1] = words[1000:2000, 0] ^ rng.integers(0, 8, 1000)
    words[:4] = [[0x8000, 0x0000], [0x0000, 0x8000], [1, 0x8001], [0x8001, 0x8001]]
    largest = 0x7BFF if config.token_format == "fp16" else 0x7F7F
    words[4:6] = [[largest, largest | 0x8000], [largest, largest]]
    values = np.array([values_of(config, column) for column in words.T]).T
    kept = np.isfinite(values).all(axis=1)
    words, values = words[kept], values[kept]
    swap = values[:, 0] < values[:, 1]
    words[swap], values[swap] = words[swap, ::-1], values[swap, ::-1]

    fields = (words & 0x7FFF) >> (10 if config.token_format == "fp16" else 7)
    exponents = np.maximum(fields.max(axis=1), 1)
    if config.token_format == "fp16":
        exponents[:] = 30
    else:
        exponents = np.minimum(exponents + rng.integers(0, 3, len(exponents)), 254)

    results, latency = [], FixedPointDifference.latency(config)
    for i in range(len(words) + latency):
        if i < len(words):
            set_value(dut.upper, int(words[i, 0]))  # type: ignore[attr-defined]
            set_value(dut.lower, int(words[i, 1]))  # type: ignore[attr-defined]
            set_value(dut.exponent, int(exponents[i]))  # type: ignore[attr-defined]
        await bench.cycles()
        # An edge shows the outputs of the cycle that it ends.
        if i >= latency:
            results.append(int(dut.difference.value))  # type: ignore[attr-defined]

    bias = 15 if config.token_format == "fp16" else 127
    for (upper, lower), exponent, result in zip(values, exponents, results, strict=True):
        unit = Fraction(2) ** int(exponent - bias - FIXED_BITS + 1)
        assert result == math.trunc(Fraction(upper) / unit) - math.trunc(Fraction(lower) / unit)


@cocotb.test()
async def keys(dut: object) -> None:
    """Keys of every third word sort as the values do, and lead back to them."""
    config = EngineConfig(**parameters())
    bench = Bench(dut)
    await bench.reset()
    words = np.arange(0, 1 << 16, 3)
    values = values_of(config, words)
    found = []
    for word, value in zip(words, values, strict=True):
        set_value(dut.upper, int(word))  # type: ignore[attr-defined]
        await bench.cycles()
        key, back, finite = (int(getattr(dut, name).value) for name in ("key", "back", "finite"))
        assert finite == math.isfinite(value)
        if finite:
            found.append((key, value))
            assert back == (0 if value == 0 else word)
    ordered = sorted(found)
    assert [value for _, value in ordered] == sorted(value for _, value in found)
    assert len({key for key, _ in found}) == len({value for _, value in found})


@pytest.mark.parametrize("name", CONFIGS)
def test_fixed_point(name: str) -> None:
    config = CONFIGS[name]
    simulate(Keys(config), __name__, f"fixed_point_{name}", given=config.as_dict())
