"""The cycle counters against a count by hand."""

import random
from collections import Counter
from typing import Any

import cocotb

from hw.bus.cycle_counters import CycleCounters
from hw.phases import STAGE_PHASES, Phase
from tb.runner import simulate
from tb.streams import Bench, set_value

PHASES: dict[str, int] = {name: member.value for name, member in Phase.__members__.items()}


@cocotb.test()
async def counts(dut: Any) -> None:
    """Random phases: each cycle is counted once in all and once for its stage, until cleared."""
    bench = Bench(dut)
    choose = random.Random(4)
    dut.clear.value = 0
    set_value(dut.phase, 0)
    dut.dau_busy.value = 0
    await bench.reset()
    stage_of = {phase.value: name for name, phases in STAGE_PHASES.items() for phase in phases}
    for _ in range(3):
        expected: Counter[str] = Counter()
        dut.clear.value = 1
        await bench.cycles()
        dut.clear.value = 0
        for _ in range(300):
            phase, busy = choose.choice(list(PHASES.values())), choose.randrange(2)
            set_value(dut.phase, phase)
            dut.dau_busy.value = busy
            await bench.cycles()
            if phase != PHASES["IDLE"]:
                expected["total"] += 1
                expected["dau"] += busy
                if phase in stage_of:
                    expected[stage_of[phase]] += 1
        set_value(dut.phase, 0)
        await bench.cycles(2)
        for name in ("total", "dau", *STAGE_PHASES):
            assert int(getattr(dut, name).value.to_unsigned()) == expected[name], name


def test_cycle_counters() -> None:
    simulate(CycleCounters(), __name__, "cycle_counters")
