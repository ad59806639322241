"""Channel weights against the golden formula, each on its cycle."""

from dataclasses import replace

import cocotb
import numpy as np
import pytest
import torch
from cocotb.triggers import ReadWrite

from golden.qe import channel_weights
from hw.config import PRESETS, EngineConfig
from hw.quantize.channel_weight import ChannelWeight
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, Source, set_value

BITS = (2, 5, 8)
LARGEST = (0, 1, 2, 0xFFFF, 0x10000, 0x1FFFF, (1 << 40) - 1, (1 << 41) - 1, 123_456_789_012)


async def check(dut: object, stall: float) -> None:
    """Spans from 0 to the largest, for largest spans of every length."""
    config = EngineConfig(**parameters())
    unit = ChannelWeight(config)
    rng = np.random.default_rng(5)
    bench = Bench(dut)
    dut.load.value = 0  # type: ignore[attr-defined]
    source = Source(bench, "span", stall=stall, seed=1)
    sink = Sink(bench, "weight", stall=stall, seed=2)
    await bench.reset()
    for largest in LARGEST:
        spans = [0, largest, largest // 2, *rng.integers(0, largest + 1, 12).tolist()]
        set_value(dut.largest, largest)  # type: ignore[attr-defined]
        source.sent.clear()
        sink.taken.clear()
        source.put(spans)  # It may be offered as the largest is taken, and waits.
        dut.load.value = 1  # type: ignore[attr-defined]
        await bench.cycles()
        await ReadWrite()  # the edge is counted
        loaded = bench.cycle
        dut.load.value = 0  # type: ignore[attr-defined]
        weights = await sink.wait(len(spans), limit=5000)
        assert weights == channel_weights(
            torch.tensor([*spans, largest]), config.weight_bits
        ).tolist()[:-1]  # fmt: skip
        if stall == 0:
            taken = [cycle for cycle, _ in source.sent]
            assert taken[0] - loaded <= unit.load_latency
            assert [cycle for cycle, _ in sink.taken] == [c + unit.latency for c in taken]
            assert np.diff(taken).tolist() == [unit.latency + 1] * (len(spans) - 1)


@cocotb.test()
async def one_after_another(dut: object) -> None:
    """No stalls: the cycles are those documented."""
    await check(dut, 0.0)


@cocotb.test()
async def with_stalls(dut: object) -> None:
    """Late spans, and weights that wait."""
    await check(dut, 0.5)


@pytest.mark.parametrize("bits", BITS)
def test_channel_weight(bits: int) -> None:
    config = replace(PRESETS["tiny"], weight_bits=bits)
    simulate(ChannelWeight(config), __name__, f"channel_weight_{bits}", given=config.as_dict())
