"""Multiply and accumulate against float32 arithmetic: special values, edges, and random triples."""

from itertools import product
from typing import Any

import cocotb
import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.dxe.mac import mac
from hw.config import VALUE_BITS
from hw.dxe.floats import FORMATS, FP32, Unpack
from hw.dxe.mac import Mac
from tb.dxe.lanes import Bits, Lanes, Values, bits, check, floats, in_rows, singles
from tb.runner import parameters, simulate

SPECIAL = {
    "fp16": (0x0000, 0x0001, 0x03FF, 0x0400, 0x3BFF, 0x3C00, 0x3C01, 0x7BFF, 0x7C00, 0x7E00),
    "bf16": (0x0000, 0x0001, 0x007F, 0x0080, 0x3F7F, 0x3F80, 0x3F81, 0x7F7F, 0x7F80, 0x7FC0),
}
"""Zero, the least and the largest subnormal and normal numbers, around one, infinity and NaN."""
SPECIAL_SUMS = (
    0x0000_0000, 0x0000_0001, 0x007F_FFFF, 0x0080_0000, 0x3F7F_FFFF, 0x3F80_0000, 0x3F80_0001,
    0x4B7F_FFFF, 0x4B80_0001, 0x7F7F_FFFF, 0x7F80_0000, 0x7FC0_0000, 0x7F80_0001,
)  # fmt: skip


class Unpacked(wiring.Component):
    """The unit, with factors as values."""

    def __init__(self, token_format: str):
        form = FORMATS[token_format]
        self.mac = Mac(form)
        self._unpack = {"a": Unpack(form), "b": Unpack(form)}
        super().__init__(
            {
                "a": In(VALUE_BITS),
                "b": In(VALUE_BITS),
                "addend": In(FP32.bits),
                "total": Out(FP32.bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.mac = self.mac
        for name, unpack in self._unpack.items():
            m.submodules[f"unpack_{name}"] = unpack
            m.d.comb += [
                unpack.value.eq(getattr(self, name)),
                getattr(self.mac, name).eq(unpack.operand),
            ]
        m.d.comb += [self.mac.addend.eq(self.addend), self.total.eq(self.mac.total)]
        return m


def golden(a: Bits, b: Bits, addend: Bits) -> Bits:
    form = parameters()["token_format"]
    return bits(mac(singles(addend), floats(a, form), floats(b, form)))


async def check_triples(dut: Any, a: Bits, b: Bits, addend: Bits) -> None:
    """A triple a lane and a cycle."""
    unit = Unpacked(parameters()["token_format"]).mac
    late, lanes = Unpack.latency + unit.lead, parameters()["lanes"]
    total = golden(a, b, addend)
    await check(
        dut,
        {
            "a": Values(in_rows(a, lanes), VALUE_BITS),
            "b": Values(in_rows(b, lanes), VALUE_BITS),
            "addend": Values(in_rows(addend, lanes), FP32.bits, late),
        },
        {"total": Values(in_rows(total, lanes), FP32.bits, late + Mac.latency)},
    )


@cocotb.test()
async def special_values(dut: Any) -> None:
    """All triples of them, of either sign."""
    special = SPECIAL[parameters()["token_format"]]
    factors = [sign | each for each in special for sign in (0, 0x8000)]
    sums = [sign | each for each in SPECIAL_SUMS for sign in (0, 0x8000_0000)]
    await check_triples(dut, *np.array(list(product(factors, factors, sums)), np.int64).T)


@cocotb.test()
async def random_triples(dut: Any) -> None:
    """Any bits; and sums that nearly cancel, or lie where rounding is decided."""
    for seed in range(parameters()["hundred_thousands"]):
        await check_triples(dut, *triples(100_000, np.random.default_rng(seed)))


def triples(count: int, draw: np.random.Generator) -> tuple[Bits, Bits, Bits]:
    half = count // 2
    a, b = (draw.integers(0, 1 << VALUE_BITS, count) for _ in range(2))
    anything = draw.integers(0, 1 << FP32.bits, half)
    products = golden(a[half:], b[half:], np.full(half, 1 << FP32.bits - 1))
    exponent = (products >> FP32.fraction_bits & 255) + draw.integers(-26, 27, half)
    sign = draw.integers(0, 2, half) << FP32.bits - 1
    near = (products + draw.integers(-2, 3, half)) & (1 << FP32.fraction_bits) - 1
    fraction = np.where(
        draw.integers(0, 2, half) > 0, near, draw.integers(0, 1 << FP32.fraction_bits, half)
    )
    close = sign | np.clip(exponent, 0, 254) << FP32.fraction_bits | fraction
    return a, b, np.concatenate([anything, close])


def run(token_format: str, lanes: int, hundred_thousands: int) -> None:
    given = {"token_format": token_format, "hundred_thousands": hundred_thousands, "lanes": lanes}
    simulate(
        Lanes(lanes, lambda: Unpacked(token_format)), __name__, f"mac_{token_format}_{lanes}",
        given=given,
    )  # fmt: skip


@pytest.mark.parametrize("token_format", FORMATS)
def test_mac(token_format: str) -> None:
    run(token_format, 4, 1)


@pytest.mark.slow
@pytest.mark.parametrize("token_format", FORMATS)
def test_mac_ten_million_times(token_format: str) -> None:
    run(token_format, 16, 100)
