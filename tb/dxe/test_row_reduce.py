"""Row reduction against float32 arithmetic in the same order."""

from typing import Any

import cocotb
import numpy as np
import pytest
import torch

from golden.dxe.row_reduce import row_reduce
from hw.dxe.floats import FP32
from hw.dxe.row_reduce import RowReduce
from tb.dxe.lanes import Values, bits, check, singles
from tb.runner import parameters, simulate

ROWS = 2000


@cocotb.test()
async def rows(dut: Any) -> None:
    """Sums and maxima by turns, of numbers near one and of any bits."""
    lanes = parameters()["lanes"]
    draw = np.random.default_rng(lanes)
    near = bits(torch.from_numpy(draw.normal(0, 1, (ROWS // 2, lanes)).astype(np.float32)))
    values = np.concatenate([near, draw.integers(0, 1 << FP32.bits, (ROWS // 2, lanes))])
    take_max = draw.integers(0, 2, (ROWS, 1))
    due = np.where(
        take_max > 0,
        *(
            bits(row_reduce(singles(values), lanes, take_max=each))[:, None]
            for each in (True, False)
        ),
    )
    unit = RowReduce(lanes)
    await check(
        dut,
        {"take_max": Values(take_max, 1), "values": Values(values, FP32.bits)},
        {"result": Values(due, FP32.bits, unit.latency)},
    )


@pytest.mark.parametrize("lanes", [pytest.param(2, marks=pytest.mark.slow), 8])
def test_row_reduce(lanes: int) -> None:
    simulate(RowReduce(lanes), __name__, f"row_reduce_{lanes}", given={"lanes": lanes})
