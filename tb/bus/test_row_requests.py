"""Row requests: every beat of the run asked for once, in order, by few requests."""

from itertools import pairwise

import cocotb
import pytest
from cocotb.triggers import ReadWrite

from hw.bus.client import Request
from hw.bus.row_requests import RowRequests
from hw.config import PRESETS
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, set_value

CONFIG = PRESETS["tiny"]
MOST_CYCLES = 1000
"""Of a run: its requests are few, and each is taken after some cycles."""
SHAPES = {"short": (64, 8), "long": (5000, 60), "longest": (3, 65535)}


async def check(dut: object, stall: float) -> None:
    """Runs of many lengths: the requests join to the whole run."""
    max_rows, max_row_beats, latency = (
        parameters()[key] for key in ("max_rows", "max_row_beats", "latency")
    )
    bench = Bench(dut)
    sink = Sink(bench, "request", Request(CONFIG), stall=stall, seed=4)
    await bench.reset()
    for rows in sorted({0, 1, 2, 3, max_rows // 2 + 1, max_rows - 1, max_rows}):
        for row_beats in (1, max_row_beats // 2 + 1, max_row_beats):
            address = 8 * (rows * 16 + row_beats)
            for name, value in (("address", address), ("rows", rows), ("row_beats", row_beats)):
                set_value(getattr(dut, name), value)
            sink.taken.clear()
            dut.start.value = 1  # type: ignore[attr-defined]
            await bench.cycles()
            await ReadWrite()  # the edge is counted
            started = bench.cycle
            dut.start.value = 0  # type: ignore[attr-defined]
            await bench.cycles()
            for _ in range(MOST_CYCLES):
                if not dut.busy.value:  # type: ignore[attr-defined]
                    break
                await bench.cycles()
            else:
                raise AssertionError(f"busy after {MOST_CYCLES} cycles")

            next_address = address
            for request in sink.values:
                assert request["address"] == next_address
                assert request["beats"] % row_beats == 0
                next_address += CONFIG.bus_bytes * request["beats"]
            assert next_address == address + CONFIG.bus_bytes * rows * row_beats
            batch = min(1 << (65535 // max_row_beats).bit_length() - 1, max_rows)
            assert len(sink.words) <= rows // batch + batch.bit_length()
            if stall == 0:
                cycles = [started] + [cycle for cycle, _ in sink.taken]
                waits = [b - a for a, b in pairwise(cycles)]
                assert all(wait <= latency for wait in waits), waits


@cocotb.test()
async def taken_at_once(dut: object) -> None:
    """Each request in time."""
    await check(dut, 0.0)


@cocotb.test()
async def taken_late(dut: object) -> None:
    """Requests wait unchanged."""
    await check(dut, 0.7)


@pytest.mark.parametrize("name", SHAPES)
def test_row_requests(name: str) -> None:
    max_rows, max_row_beats = SHAPES[name]
    unit = RowRequests(CONFIG, max_rows, max_row_beats)
    given = {"max_rows": max_rows, "max_row_beats": max_row_beats, "latency": unit.latency}
    simulate(unit, __name__, f"row_requests_{name}", given=given)


def test_a_row_longer_than_a_request_is_refused() -> None:
    with pytest.raises(ValueError, match="max_row_beats is 1048576, but must be at most 1048575"):
        RowRequests(CONFIG, 2, 1 << 20)
