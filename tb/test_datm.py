"""Whole jobs on the memory ports against `golden.datm.match`: pairs, medoids, losses, history."""

from dataclasses import replace
from typing import Any

import cocotb
import pytest
import torch

from hw.config import PRESETS, EngineConfig
from hw.datm import Datm
from hw.job import Order
from hw.phases import Phase
from tb.jobs import MEMORY_BYTES, MatchCase, match_cases, random_tokens
from tb.layouts import encode
from tb.memory import Memory, ReadMemory, WriteMemory
from tb.runner import parameters, simulate
from tb.streams import Bench, set_value

CONFIGS = {
    "tiny": PRESETS["tiny"],
    "tiny-shared": replace(PRESETS["tiny"], scale_group=4),
    "tiny-bf16": replace(PRESETS["tiny"], token_format="bf16"),
}

PHASES: list[Any] = list(Phase)


class DatmBench:
    """A `Datm` on a memory played by Python."""

    def __init__(self, dut: Any, *, stall: float = 0.0, latency: int = 100):
        self.config = EngineConfig(**parameters())
        self.bench = Bench(dut)
        self.dut = self.bench.dut
        self.memory = Memory(MEMORY_BYTES)
        self.dut.run__start.value = 0
        self.clients = [
            kind(self.bench, name, self.config, self.memory, latency=latency, stall=stall)
            for kind, name in (
                (ReadMemory, "read_a"), (ReadMemory, "read_b"), (WriteMemory, "write"),
            )
        ]  # fmt: skip

    async def start(self, fields: dict[str, int]) -> None:
        """Begin a job."""
        set_value(self.dut.order, encode(Order(self.config), fields))
        await self.bench.start()

    async def finish(self) -> None:
        """Wait for the end of the job."""
        began = self.bench.cycle
        while not self.dut.run__done.value:
            await self.bench.cycles()
            assert self.bench.cycle - began < 200_000, f"stuck in phase {self.dut.phase.value}"

    async def run(self, case: MatchCase) -> None:
        """Run a job and compare its results."""
        case.load(self.memory.load)
        await self.start(case.order())
        await self.finish()
        assert not self.dut.bad_job.value
        assert not self.dut.nonfinite.value
        case.compare(self.memory.read, int(self.dut.pairings.value.to_unsigned()))
        await self.bench.cycles()

    def stop(self) -> None:
        """Stop the memory, as on a reset."""
        for client in self.clients:
            client.stop()


@cocotb.test()
async def exact(dut: Any) -> None:
    """Every case, one job after another on one engine."""
    rig = DatmBench(dut)
    await rig.bench.reset()
    for case in match_cases(rig.config, 40):
        await rig.run(case)


@cocotb.test()
async def exact_with_stalls(dut: Any) -> None:
    """Random stalls of the memory never change a result."""
    rig = DatmBench(dut, stall=0.4, latency=7)
    await rig.bench.reset()
    for case in match_cases(rig.config, 28):
        await rig.run(case)


@cocotb.test()
async def refuses_bad_jobs(dut: Any) -> None:
    """A job that the config or the algorithm does not allow ends at once and writes nothing."""
    rig = DatmBench(dut)
    await rig.bench.reset()
    config = rig.config
    good = MatchCase(config, random_tokens(config, 12, 4, 1), 3, 4)
    wrong = [
        {"tokens": 1}, {"tokens": config.max_tokens + 1}, {"channels": 0},
        {"channels": config.max_channels + 1}, {"num_dst": 0}, {"num_dst": 12},
        {"num_dst": config.max_dst + 1, "tokens": config.max_tokens}, {"reduce": 10},
        {"max_pairings": 0}, {"max_pairings": config.max_pairings + 1}, {"tokens": 1 << 31},
    ]  # fmt: skip
    for fields in wrong:
        before = bytes(rig.memory.bytes)
        await rig.start(good.order() | fields)
        await rig.finish()
        assert rig.dut.bad_job.value, f"{fields} was accepted"
        assert bytes(rig.memory.bytes) == before
        await rig.bench.cycles()
    await rig.run(good)


@cocotb.test()
async def flags_values_that_are_not_finite(dut: Any) -> None:
    """NaN and infinity raise the flag and end the job; the next job is right."""
    rig = DatmBench(dut)
    await rig.bench.reset()
    config = rig.config
    for value in (float("nan"), float("inf"), -float("inf")):
        tokens = random_tokens(config, 12, 5, 1)
        tokens[7, 4] = value
        case = MatchCase(config, tokens, 3, 4)
        case.load(rig.memory.load)
        await rig.start(case.order())
        await rig.finish()
        assert rig.dut.nonfinite.value
        await rig.bench.cycles()
    await rig.run(MatchCase(config, torch.zeros_like(tokens), 3, 4))


@cocotb.test()
async def reset_in_mid_run(dut: Any) -> None:
    """A reset in any phase leaves nothing behind."""
    config = EngineConfig(**parameters())
    case = MatchCase(config, random_tokens(config, 30, config.max_channels, 9), 8, 10)
    for phase in PHASES[1:-1]:
        if phase.name == "SORT_CHANNELS" and config.scale_group == 1:
            continue
        rig = DatmBench(dut)
        await rig.bench.reset()
        case.load(rig.memory.load)
        await rig.start(case.order())
        for _ in range(20_000):
            if int(dut.phase.value) == phase.value:
                break
            await rig.bench.cycles()
        else:
            raise AssertionError(f"no phase {phase.name}")
        await rig.bench.cycles(20)
        rig.stop()
    rig = DatmBench(dut)
    await rig.bench.reset()
    await rig.run(case)


@pytest.mark.parametrize("name", CONFIGS)
def test_datm(name: str) -> None:
    config = CONFIGS[name]
    simulate(Datm(config), __name__, f"datm_{name.replace('-', '_')}", given=config.as_dict())
