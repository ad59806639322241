"""Times the engine's testbench, for ``make bench``: cycles a second under cocotb."""

import json
import time
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles

from golden.options import MatchOptions
from tb.jobs import MatchCase, random_tokens
from tb.test_engine import EngineBench

RATES = Path("rates.json")
"""In the folder of the build: the cycles a second of each sample."""

_SAMPLES = 3
_SAMPLE_CYCLES = 1500


@cocotb.test()
async def timed(dut: Any) -> None:
    """Start a job as the tests do, and time stretches of it."""
    rig = EngineBench(dut)
    await rig.bench.reset()
    tokens = random_tokens(rig.config, 60, rig.config.max_channels // 2, 1)
    case = MatchCase(rig.config, tokens, 15, 22, MatchOptions(seed=1, epsilon=0))
    case.load(rig.ram.write)
    await rig.start(case.order())
    rates = []
    for _ in range(_SAMPLES):
        begun = time.perf_counter()
        await ClockCycles(dut.clk, _SAMPLE_CYCLES)
        rates.append(_SAMPLE_CYCLES / (time.perf_counter() - begun))
        assert not dut.irq.value, "the job ended before the last sample"
    RATES.write_text(json.dumps(rates))
