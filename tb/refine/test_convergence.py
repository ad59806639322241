"""The convergence test against the golden one: every verdict, and the cycle of each."""

import random
from dataclasses import dataclass
from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from golden.convergence import converged
from hw.config import PRESETS, EngineConfig
from hw.refine.convergence import Convergence
from tb.runner import parameters, simulate
from tb.streams import Bench, set_value

CONFIGS = {"tiny": PRESETS["tiny"], "paper": PRESETS["paper"]}


@dataclass(frozen=True)
class Test:
    """One pairing's loss and how it is judged."""

    __test__ = False
    loss: int
    epsilon: int
    first: bool = False
    last: bool = False


class Host:
    """Starts tests and notes the cycles of start, and of done with its verdict."""

    def __init__(self, dut: Any):
        self.dut = dut
        self.bench = Bench(dut)
        self.latency = Convergence(EngineConfig(**parameters())).latency
        self.started: list[int] = []
        self.verdicts: list[tuple[int, bool]] = []
        self.dut.run__start.value = 0
        cocotb.start_soon(self._watch())

    async def _watch(self) -> None:
        while True:
            await RisingEdge(self.dut.clk)
            if self.dut.run__start.value and not self.dut.rst.value:
                self.started.append(self.bench.cycle)
            if self.dut.run__done.value and not self.dut.rst.value:
                self.verdicts.append((self.bench.cycle, bool(self.dut.stop.value)))

    def _drive(self, test: Test, start: bool) -> None:
        self.dut.run__start.value = start
        set_value(self.dut.loss, test.loss)
        set_value(self.dut.epsilon, test.epsilon)
        self.dut.first.value, self.dut.last.value = test.first, test.last

    async def run(self, tests: list[Test], gap: int = 0) -> list[bool]:
        """Start each test ``gap`` cycles after the one before ended; returns the verdicts."""
        at = len(self.verdicts)
        for test in tests:
            self._drive(test, start=True)
            await RisingEdge(self.dut.clk)
            # Values count with start only.
            self._drive(Test(loss=0, epsilon=1, first=not test.first, last=not test.last), False)
            await self.bench.cycles(self.latency - 1 + gap)
        await self.bench.cycles(2)
        started = self.started[-len(tests) :]
        cycles = [cycle for cycle, _ in self.verdicts[at:]]
        assert cycles == [cycle + self.latency for cycle in started]
        return [stop for _, stop in self.verdicts[at:]]


def golden_verdicts(tests: list[Test]) -> list[bool]:
    """What docs/definition.md, 'Convergence', says of each test, given the one before it."""
    verdicts, previous = [], 0
    for test in tests:
        small = not test.first and converged(previous, test.loss, test.epsilon)
        verdicts.append(small or test.last)
        previous = test.loss
    return verdicts


def boundary(previous: int, epsilon: int) -> list[int]:
    """Losses around the least change that is not below epsilon times ``previous``."""
    change = -(-epsilon * previous // 65536)
    nearby = [
        previous + sign * (change + step)
        for sign in (-1, 1)
        for step in (-1, 0, 1)
        if change + step >= 0
    ]
    return [loss for loss in nearby if loss >= 0]


def histories(config: EngineConfig) -> list[Test]:
    """Pairs of losses at every edge, then histories that fall as real ones do."""
    most, pick = (1 << config.loss_bits) - 1, random.Random(6)
    tests: list[Test] = []
    epsilons = [0, 1, 2, 66, 32768, 65534, 65535]
    # A multiple of 65536 makes epsilon * previous / 65536 whole: the exact equality.
    for previous in (0, 1, 2, 3, 65535, 65536, 3 * 65536, most // 65536 * 65536, most - 1, most):
        for epsilon in epsilons:
            if previous > most:
                continue
            for loss in sorted({*boundary(previous, epsilon), 0, most}):
                if loss <= most:
                    tests += [Test(previous, epsilon, first=True), Test(loss, epsilon)]
    for _ in range(40):
        epsilon, loss = pick.choice(epsilons), pick.randint(0, most)
        tests.append(Test(loss, epsilon, first=True, last=pick.random() < 0.1))
        for _ in range(pick.randint(1, 6)):
            loss -= loss * pick.randint(0, 400) // pick.choice([500, 5000, 100_000])
            tests.append(Test(loss, epsilon, last=pick.random() < 0.1))
    return tests


@cocotb.test()
async def every_edge(dut: Any) -> None:
    """Verdict and cycle of each test, one after the other without a gap."""
    host = Host(dut)
    await host.bench.reset()
    tests = histories(EngineConfig(**parameters()))
    expected = golden_verdicts(tests)
    assert await host.run(tests) == expected
    # The list judges both ways, often.
    assert 100 < sum(expected) < len(expected) - 100


@cocotb.test()
async def with_gaps(dut: Any) -> None:
    """The loss before is kept over idle cycles, however long."""
    host = Host(dut)
    await host.bench.reset()
    tests = [Test(1000, 700, first=True), Test(995, 700), Test(900, 700), Test(891, 700)]
    assert await host.run(tests, gap=37) == golden_verdicts(tests) == [False, True, False, True]


@cocotb.test()
async def reset_within_a_test(dut: Any) -> None:
    """A reset ends a test without a verdict, and the next first test is exact."""
    host = Host(dut)
    await host.bench.reset()
    for cycles in (1, 9, host.latency - 1):
        await host.bench.start()
        await host.bench.cycles(cycles - 1)
        await host.bench.reset()
        verdicts = len(host.verdicts)
        await host.bench.cycles(host.latency + 2)
        assert len(host.verdicts) == verdicts
        assert await host.run([Test(50, 9, first=True), Test(50, 9)]) == [False, True]


@pytest.mark.parametrize("name", CONFIGS)
def test_convergence(name: str) -> None:
    config = CONFIGS[name]
    simulate(Convergence(config), __name__, f"convergence_{name}", given=config.as_dict())
