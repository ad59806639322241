"""Multiply and accumulate against float32 arithmetic: special values, edges, and random triples."""

from itertools import product
from typing import Any

import cocotb
import numpy as np
import pytest
import torch
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.dxe.mac import mac
from hw.blocks.pipeline import delay
from hw.config import VALUE_BITS
from hw.dxe.floats import FORMATS, FP32, Unpack
from hw.dxe.mac import Mac
from tb.dxe.words import Bits, bits, floats, joined, split
from tb.runner import parameters, simulate
from tb.streams import Bench, set_value

LANES = 4
SPECIAL = {
    "fp16": (0x0000, 0x0001, 0x03FF, 0x0400, 0x3BFF, 0x3C00, 0x3C01, 0x7BFF, 0x7C00, 0x7E00),
    "bf16": (0x0000, 0x0001, 0x007F, 0x0080, 0x3F7F, 0x3F80, 0x3F81, 0x7F7F, 0x7F80, 0x7FC0),
}
"""Zero, the least and the largest subnormal and normal numbers, around one, infinity and NaN."""
SPECIAL_SUMS = (
    0x0000_0000, 0x0000_0001, 0x007F_FFFF, 0x0080_0000, 0x3F7F_FFFF, 0x3F80_0000, 0x3F80_0001,
    0x4B7F_FFFF, 0x4B80_0001, 0x7F7F_FFFF, 0x7F80_0000, 0x7FC0_0000, 0x7F80_0001,
)  # fmt: skip


class Lanes(wiring.Component):
    """Many of them side by side, with an addend that comes with its factors."""

    def __init__(self, token_format: str):
        self._form = FORMATS[token_format]
        self._macs = [Mac(self._form) for _ in range(LANES)]
        super().__init__(
            {
                "a": In(LANES * VALUE_BITS),
                "b": In(LANES * VALUE_BITS),
                "addend": In(LANES * FP32.bits),
                "total": Out(LANES * FP32.bits),
            }
        )

    @property
    def latency(self) -> int:
        return Unpack.latency + self._macs[0].lead + Mac.latency

    def elaborate(self, platform: object) -> Module:
        m = Module()
        addend = delay(m, self.addend, Unpack.latency + self._macs[0].lead, "addend")
        for lane, unit in enumerate(self._macs):
            m.submodules[f"mac_{lane}"] = unit
            for name in ("a", "b"):
                m.submodules[f"{name}_{lane}"] = unpack = Unpack(self._form)
                m.d.comb += [
                    unpack.value.eq(getattr(self, name).word_select(lane, VALUE_BITS)),
                    getattr(unit, name).eq(unpack.operand),
                ]
            m.d.comb += [
                unit.addend.eq(addend.word_select(lane, FP32.bits)),
                self.total.word_select(lane, FP32.bits).eq(unit.total),
            ]
        return m


def golden(token_format: str, a: Bits, b: Bits, addend: Bits) -> Bits:
    start = torch.from_numpy(addend.astype(np.uint32).view(np.float32))
    return bits(mac(start, floats(a, token_format), floats(b, token_format)).numpy())


async def check(dut: Any, a: Bits, b: Bits, addend: Bits) -> None:
    """Triples, a lane each, a cycle after another; each total on its cycle."""
    given = parameters()
    latency = Lanes(given["token_format"]).latency
    short = -len(a) % LANES
    a, b, addend = (np.pad(each, (0, short)).reshape(-1, LANES) for each in (a, b, addend))
    due = golden(given["token_format"], a, b, addend)
    bench = Bench(dut)
    await bench.reset()
    for cycle in range(len(a) + latency):
        if cycle < len(a):
            set_value(dut.a, joined(a[cycle], VALUE_BITS))
            set_value(dut.b, joined(b[cycle], VALUE_BITS))
            set_value(dut.addend, joined(addend[cycle], FP32.bits))
        await bench.cycles()
        if (row := cycle - latency) >= 0:
            total = split(dut.total.value, LANES, FP32.bits)
            wrong = np.flatnonzero(total != due[row])
            assert not len(wrong), [
                f"{addend[row, i]:08x} + {a[row, i]:04x} * {b[row, i]:04x} = {total[i]:08x},"
                f" not {due[row, i]:08x}"
                for i in wrong[:4]
            ]


@cocotb.test()
async def special_values(dut: Any) -> None:
    """All triples of them, of either sign."""
    factors = [
        sign | each for each in SPECIAL[parameters()["token_format"]] for sign in (0, 0x8000)
    ]
    sums = [sign | each for each in SPECIAL_SUMS for sign in (0, 0x8000_0000)]
    triples = np.array(list(product(factors, factors, sums)), np.int64)
    await check(dut, *triples.T)


@cocotb.test()
async def random_triples(dut: Any) -> None:
    """Any bits; and sums that nearly cancel, or lie where rounding is decided."""
    given = parameters()
    for seed in range(given["hundred_thousands"]):
        await check(dut, *triples(given["token_format"], 100_000, np.random.default_rng(seed)))


def triples(token_format: str, count: int, draw: np.random.Generator) -> tuple[Bits, Bits, Bits]:
    half = count // 2
    a, b = (draw.integers(0, 1 << VALUE_BITS, count) for _ in range(2))
    anything = draw.integers(0, 1 << FP32.bits, half)
    products = golden(token_format, a[half:], b[half:], np.full(half, 1 << FP32.bits - 1))
    exponent = (products >> FP32.fraction_bits & 255) + draw.integers(-26, 27, half)
    sign = draw.integers(0, 2, half) << FP32.bits - 1
    near = (products + draw.integers(-2, 3, half)) & (1 << FP32.fraction_bits) - 1
    fraction = np.where(
        draw.integers(0, 2, half) > 0, near, draw.integers(0, 1 << FP32.fraction_bits, half)
    )
    close = sign | np.clip(exponent, 0, 254) << FP32.fraction_bits | fraction
    return a, b, np.concatenate([anything, close])


def run(token_format: str, hundred_thousands: int) -> None:
    simulate(
        Lanes(token_format), __name__, f"mac_{token_format}",
        given={"token_format": token_format, "hundred_thousands": hundred_thousands},
    )  # fmt: skip


@pytest.mark.parametrize("token_format", FORMATS)
def test_mac(token_format: str) -> None:
    run(token_format, 1)


@pytest.mark.slow
@pytest.mark.parametrize("token_format", FORMATS)
def test_mac_ten_million_times(token_format: str) -> None:
    run(token_format, 100)
