"""The sampler against the golden one: every list, and the cycle of every entry."""

import random
from dataclasses import replace
from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from golden.sampler import sample
from hw.config import PRESETS, EngineConfig
from hw.refine.sampler import Sampler
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink

ZERO_STATE = 0x9E3779B9
CONFIGS = {
    "tiny": PRESETS["tiny"],
    "demo": PRESETS["demo"],
    "paper": PRESETS["paper"],
    "few": replace(PRESETS["tiny"], max_tokens=7, max_dst=6),
}


class Host:
    """Starts the sampler, and notes the cycles whose edge took start and done."""

    def __init__(self, dut: Any, *, stall: float = 0.0):
        self.dut = dut
        self.bench = Bench(dut)
        self.sink = Sink(self.bench, "dst", stall=stall, seed=4)
        self.started: list[int] = []
        self.done: list[int] = []
        self.dut.run__start.value = 0
        cocotb.start_soon(self._watch())

    async def _watch(self) -> None:
        while True:
            await RisingEdge(self.dut.clk)
            if self.dut.run__start.value and not self.dut.rst.value:
                self.started.append(self.bench.cycle)
            if self.dut.run__done.value and not self.dut.rst.value:
                self.done.append(self.bench.cycle)

    async def start(self, tokens: int, num_dst: int, seed: int) -> None:
        """Pulse start, with its values for that cycle only."""
        self.dut.tokens.value, self.dut.num_dst.value, self.dut.seed.value = tokens, num_dst, seed
        await self.bench.start()
        self.dut.tokens.value, self.dut.num_dst.value, self.dut.seed.value = 0, 0, 0

    async def run(self, tokens: int, num_dst: int, seed: int) -> tuple[int, list[int], list[int]]:
        """One list: the start's cycle, the entries and their cycles; done must follow the last."""
        at, jobs = len(self.sink.taken), len(self.done)
        await self.start(tokens, num_dst, seed)
        for _ in range(20 * tokens + 40):
            if len(self.done) > jobs:
                break
            await RisingEdge(self.dut.clk)
        taken = self.sink.taken[at:]
        assert self.done[jobs:] == [taken[-1][0] + 1]
        return self.started[-1], [word for _, word in taken], [cycle for cycle, _ in taken]


def cases(config: EngineConfig) -> list[tuple[int, int, int]]:
    """(N, M, seed): the edges of each, then random ones."""
    most, pick = config.max_tokens, random.Random(5)
    edges = [(2, 1), (3, 2), (most, 1), (most, config.max_dst), (config.max_dst + 1, 1)]
    if config.max_dst == most - 1:
        edges.append((most, most - 1))
    seeds = [0, 1, ZERO_STATE, ZERO_STATE ^ 1, 0xFFFFFFFF]
    sized = [(n, m, seed) for n, m in edges for seed in seeds]
    for _ in range(20):
        n = pick.randint(2, most)
        sized.append((n, pick.randint(1, min(n - 1, config.max_dst)), pick.getrandbits(32)))
    # A long list takes a cycle a token: a few show the full widths.
    short = [case for case in sized if case[0] <= 2048]
    return short + [case for case in sized if case[0] > 2048][:4]


@cocotb.test()
async def every_cycle_a_token(dut: Any) -> None:
    """Token i is offered `latency` + i cycles after start; jobs follow one another at once."""
    config = EngineConfig(**parameters())
    latency = Sampler(config).latency
    host = Host(dut)
    await host.bench.reset()
    for n, m, seed in cases(config):
        started, words, cycles = await host.run(n, m, seed)
        expected = sample(n, m, seed).tolist()
        assert words == expected, (n, m, seed)
        # A consumer that is always ready takes each entry as it is offered.
        assert cycles == [started + latency + token for token in expected], (n, m, seed)
    await host.bench.cycles(config.count_bits + 40)
    assert len(host.done) == len(cases(config))


@cocotb.test()
async def with_stalls(dut: Any) -> None:
    """A consumer that is often not ready gets the same lists."""
    config = EngineConfig(**parameters())
    host = Host(dut, stall=0.7)
    await host.bench.reset()
    for n, m, seed in cases(config)[:40]:
        _, words, _ = await host.run(n, m, seed)
        assert words == sample(n, m, seed).tolist(), (n, m, seed)


@cocotb.test()
async def start_while_busy(dut: Any) -> None:
    """A second start before done changes nothing."""
    config = EngineConfig(**parameters())
    host = Host(dut)
    await host.bench.reset()
    n = min(20, config.max_tokens)
    await host.start(n, n // 3, 3)
    for _ in range(Sampler(config).latency):
        await host.start(n // 2, 2, 8)
    await host.bench.cycles(60)
    assert host.sink.words == sample(n, n // 3, 3).tolist()
    assert len(host.done) == 1


@cocotb.test()
async def reset_within_a_list(dut: Any) -> None:
    """After a reset at any time, nothing of the list before is left."""
    config = EngineConfig(**parameters())
    host = Host(dut)
    latency = Sampler(config).latency
    await host.bench.reset()
    n = min(30, config.max_tokens)
    for cycles in (1, 5, latency - 1, latency, latency + 3):
        await host.start(n, n - 1, 11)
        await host.bench.cycles(cycles)
        await host.bench.reset()
        at, jobs = len(host.sink.taken), len(host.done)
        await host.bench.cycles(latency + 2)
        assert len(host.sink.taken) == at
        assert len(host.done) == jobs
        _, words, _ = await host.run(n, n // 2, cycles)
        assert words == sample(n, n // 2, cycles).tolist()


@pytest.mark.parametrize("name", CONFIGS)
def test_sampler(name: str) -> None:
    config = CONFIGS[name]
    simulate(Sampler(config), __name__, f"sampler_{name.replace('-', '_')}", given=config.as_dict())
