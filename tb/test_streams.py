"""The drivers themselves: a stream that stands still fails its test."""

from typing import Any

import cocotb
import pytest

from hw.blocks.stream_register import StreamRegister
from tb.runner import BUILD, simulate
from tb.streams import Bench, Source


@cocotb.test()
async def nobody_takes(dut: Any) -> None:
    """What is sent stays in the register."""
    bench = Bench(dut)
    dut.o__ready.value = 0
    source = Source(bench, "i")
    await bench.reset()
    source.put(range(8))
    await source.drain()


def test_a_stream_that_stands_still_fails() -> None:
    name = "streams_stand_still"
    with pytest.raises(SystemExit):
        simulate(StreamRegister(8), __name__, name)
    assert "no stream has moved for 100000 cycles" in (BUILD / name / "test.log").read_text()
