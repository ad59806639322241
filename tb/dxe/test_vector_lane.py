"""Vector lane against float32 arithmetic and the definition's parabolas."""

from itertools import product
from typing import Any

import cocotb
import numpy as np
import pytest
import torch
from amaranth.hdl import Const

from golden.dxe.vector_lane import lane, shortened
from hw.config import VALUE_BITS
from hw.dxe.floats import FORMATS, FP32
from hw.dxe.function_table import Function
from hw.dxe.vector_lane import OPERATION, VectorLane
from tb.dxe.lanes import DTYPES, Bits, Lanes, Values, bits, check, floats, in_rows, singles
from tb.dxe.test_mac import SPECIAL_SUMS
from tb.layouts import encode
from tb.runner import parameters, simulate

LANES = 4
ONE, MINUS_ZERO = 0x3F80_0000, 0x8000_0000
FUNCTIONS = {
    "none": Function.NONE,
    "exp2": Function.EXP2,
    "reciprocal": Function.RECIPROCAL,
    "sqrt": Function.SQRT,
}
OPERATIONS = [(take_max, function) for take_max in (False, True) for function in FUNCTIONS]


async def check_operands(dut: Any, operations: Bits, x: Bits, a: Bits, b: Bits) -> None:
    """Operands a lane and a cycle; ``operations`` are places in OPERATIONS."""
    token_format = parameters()["token_format"]
    value, short = np.zeros_like(x), np.zeros_like(x)
    coded = np.zeros_like(x)
    for place, (take_max, function) in enumerate(OPERATIONS):
        those = operations == place
        found = lane(
            singles(x[those]), singles(a[those]), singles(b[those]),
            take_max=take_max, function=function,
        )  # fmt: skip
        value[those], short[those] = bits(found), bits(shortened(found, DTYPES[token_format]))
        coded[those] = encode(
            OPERATION, {"take_max": take_max, "function": Const.cast(FUNCTIONS[function]).value}
        )
    unit = VectorLane(FORMATS[token_format])
    await check(
        dut,
        {"operation": Values(in_rows(coded, LANES), OPERATION.size)}
        | {
            name: Values(in_rows(values, LANES), FP32.bits)
            for name, values in (("x", x), ("a", a), ("b", b))
        },
        {
            "value": Values(in_rows(value, LANES), FP32.bits, unit.latency),
            "short": Values(in_rows(short, LANES), VALUE_BITS, unit.short_latency),
        },
    )


@cocotb.test()
async def every_short_float(dut: Any) -> None:
    """Each function of every 16-bit float."""
    token_format = parameters()["token_format"]
    every = bits(floats(np.arange(1 << VALUE_BITS), token_format).float())
    for function in FUNCTIONS:
        operations = np.full_like(every, OPERATIONS.index((False, function)))
        ones, zeros = np.full_like(every, ONE), np.full_like(every, MINUS_ZERO)
        await check_operands(dut, operations, every, ones, zeros)


@cocotb.test()
async def special_values(dut: Any) -> None:
    """All triples of them, of either sign, through a sum and a maximum."""
    special = [sign | each for each in SPECIAL_SUMS for sign in (0, 0x8000_0000)]
    operands = np.array(list(product(special, special, special)), np.int64).T
    operations = np.arange(operands.shape[1]) % len(OPERATIONS)
    for turn in range(len(OPERATIONS)):
        await check_operands(dut, (operations + turn) % len(OPERATIONS), *operands)


@cocotb.test()
async def random_operands(dut: Any) -> None:
    """Any bits; and products in the range of each function, whose results lie near its limits."""
    draw = np.random.default_rng(parameters()["seed"])
    count = parameters()["operands"]
    operations = draw.integers(0, len(OPERATIONS), 2 * count)
    anything = draw.integers(0, 1 << FP32.bits, (3, count))
    spread = torch.from_numpy(draw.normal(0, 60, (3, count)).astype(np.float32))
    near = bits(spread * torch.tensor([1.0, 0.04, 1.0])[:, None])
    await check_operands(dut, operations, *np.concatenate([anything, near], axis=1))


@pytest.mark.parametrize("token_format", ["fp16", pytest.param("bf16", marks=pytest.mark.slow)])
def test_vector_lane(token_format: str) -> None:
    simulate(
        Lanes(LANES, lambda: VectorLane(FORMATS[token_format])), __name__,
        f"vector_lane_{token_format}",
        given={"token_format": token_format, "operands": 50_000, "seed": 1},
    )  # fmt: skip
