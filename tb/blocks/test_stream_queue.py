"""The stream queue against a plain list: order, room, and the cycles of an item."""

from typing import Any

import cocotb
import pytest

from hw.blocks.stream_queue import StreamQueue
from tb.blocks import stream_checks
from tb.runner import parameters, simulate

CONFIGS = {
    "deep": {"shape": 37, "depth": 32},
    "three": {"shape": 2, "depth": 3},
}


@cocotb.test()
async def an_item_every_cycle(dut: Any) -> None:
    """Into an empty queue, each item leaves 2 cycles after it came."""
    await stream_checks.leaves_after(dut, 2)


@cocotb.test()
@cocotb.parametrize(stalls=[(0.6, 0.0), (0.0, 0.6), (0.5, 0.5)])
async def with_stalls(dut: Any, stalls: tuple[float, float]) -> None:
    await stream_checks.keeps_order(dut, stalls)


@cocotb.test()
async def keeps_depth_items(dut: Any) -> None:
    await stream_checks.keeps_so_many(dut, parameters()["depth"])


@cocotb.test()
async def reset_empties_it(dut: Any) -> None:
    await stream_checks.forgets_at_reset(dut, 3)


@pytest.mark.parametrize("name", CONFIGS)
def test_stream_queue(name: str) -> None:
    given = CONFIGS[name]
    simulate(StreamQueue(**given), __name__, f"stream_queue_{name}", given=given)
