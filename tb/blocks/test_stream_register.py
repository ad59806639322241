"""The stream register against a plain list: order, room, and the cycles of an item."""

from typing import Any

import cocotb
import pytest

from hw.blocks.stream_register import StreamRegister
from tb.blocks import stream_checks
from tb.runner import simulate


@cocotb.test()
async def an_item_every_cycle(dut: Any) -> None:
    """Each item leaves as many cycles after it came as the latency says."""
    await stream_checks.leaves_after(dut, StreamRegister.latency)


@cocotb.test()
@cocotb.parametrize(stalls=[(0.6, 0.0), (0.0, 0.6), (0.5, 0.5)])
async def with_stalls(dut: Any, stalls: tuple[float, float]) -> None:
    await stream_checks.keeps_order(dut, stalls)


@cocotb.test()
async def ready_is_a_register(dut: Any) -> None:
    """It falls only in the cycle after the second item came that could not leave."""
    await stream_checks.keeps_so_many(dut, 2)


@cocotb.test()
async def reset_empties_it(dut: Any) -> None:
    await stream_checks.forgets_at_reset(dut, 2)


@pytest.mark.parametrize("shape", [1, 37])
def test_stream_register(shape: int) -> None:
    given = {"shape": shape}
    simulate(StreamRegister(**given), __name__, f"stream_register_{shape}", given=given)
