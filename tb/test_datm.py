"""Whole jobs on the memory ports against `golden.datm.match`: pairs, medoids, losses, history."""

import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import cocotb
import pytest
import torch

from golden.options import MatchOptions
from hw.config import PRESETS, EngineConfig
from hw.datm import Datm
from hw.job import Order
from hw.pair.dau import Dau
from hw.pair.limits import Limits, merge_wait
from hw.phases import Phase
from tb.coverage import FILE, STREAMS, planned, reset_in, waits
from tb.jobs import (
    ADDRESS,
    MEMORY_BYTES,
    MatchCase,
    coarse_cases,
    host_dst_bytes,
    match_cases,
    random_tokens,
)
from tb.layouts import encode
from tb.memory import Memory, ReadMemory, WriteMemory
from tb.runner import parameters, simulate
from tb.situations import of_job
from tb.streams import Bench, set_value

CONFIGS = {
    "tiny": PRESETS["tiny"],
    # Rows of 32 chunks: the limits of a pass are there before it ends.
    "deep-shared": replace(PRESETS["tiny"], max_channels=128, scale_group=4),
    "odd-bf16": replace(
        PRESETS["tiny"], max_channels=128, dst_lanes=3, src_lanes=6, channel_lanes=16,
        src_groups=3, bus_bytes=32, update_lanes=4, token_format="bf16",
    ),
}  # fmt: skip

PHASES: tuple[Any, ...] = tuple(Phase)
MET: Counter[str] = Counter()
"""Situations that this simulation has met, over all its tests."""


class DatmBench:
    """A `Datm` on a memory played by Python, which counts its cycles and the DAU's by phase."""

    def __init__(self, dut: Any, *, stall: float = 0.0, latency: int = 100):
        self.config = EngineConfig(**parameters())
        self.bench = Bench(dut)
        self.dut = dut
        self.memory = Memory(MEMORY_BYTES)
        self.cycles: Counter[Any] = Counter()
        self.dau_cycles: Counter[Any] = Counter()
        self._latency, self._stall = latency, stall
        self._clients: list[ReadMemory | WriteMemory] = []
        self._streams = {
            name: (getattr(dut, f"{name}__valid"), getattr(dut, f"{name}__ready"))
            for name in STREAMS
        }
        dut.run__start.value = 0
        cocotb.start_soon(self._count())

    async def _count(self) -> None:
        reset, phase_port, busy = self.dut.rst, self.dut.phase, self.dut.dau_busy
        while True:
            await self.bench.edge
            if not reset.value and (shown := phase_port.value).is_resolvable:
                phase = PHASES[shown.to_unsigned()]
                self.cycles[phase] += 1
                if busy.value:
                    self.dau_cycles[phase] += 1
                for name, (valid, ready) in self._streams.items():
                    if valid.value and not ready.value:
                        MET[waits(name, phase)] += 1

    @property
    def phase(self) -> Any:
        """What the job is doing."""
        return Phase(self.dut.phase.value.to_unsigned())

    async def reset(self) -> None:
        """Reset the component and its memory, wherever they are."""
        self.dut.rst.value = 1
        for client in self._clients:
            client.stop()
        await self.bench.reset()
        self._clients = [
            kind(
                self.bench, name, self.config, self.memory,
                latency=self._latency, stall=self._stall,
            )
            for kind, name in (
                (ReadMemory, "read_a"), (ReadMemory, "read_b"), (WriteMemory, "write"),
            )
        ]  # fmt: skip

    async def start(self, fields: dict[str, int]) -> None:
        """Begin a job."""
        set_value(self.dut.order, encode(Order(self.config), fields))
        self.cycles.clear()
        self.dau_cycles.clear()
        await self.bench.start()

    async def finish(self) -> None:
        """Wait for the end of the job."""
        began = self.bench.cycle
        while not self.dut.run__done.value:
            await self.bench.cycles()
            assert self.bench.cycle - began < 200_000, f"stuck in phase {self.phase}"

    async def run(self, case: MatchCase) -> None:
        """Run a job and compare its results."""
        case.load(self.memory.load)
        await self.start(case.order())
        await self.finish()
        assert not self.dut.bad_job.value
        assert not self.dut.nonfinite.value
        assert not self.dut.bad_list.value
        case.compare(self.memory.read, int(self.dut.pairings.value.to_unsigned()))
        MET.update(of_job(case))
        await self.bench.cycles()


def refined_case(config: EngineConfig, tokens: int) -> MatchCase:
    """A job whose slots move in more than one update."""
    values = random_tokens(config, tokens, config.max_channels - 1, 11)
    return MatchCase(config, values, tokens // 4, tokens // 2, MatchOptions(seed=3, epsilon=0))


def lonely_case(config: EngineConfig) -> MatchCase:
    """A job of one src tile and two dst tiles, the second one for the sake of one src.

    All others have both their nearest dst in the first tile, at hardly any distance.
    """
    dst, src = 2 * config.dst_lanes, config.resident_src
    tokens = torch.zeros(dst + src, config.max_channels)
    for token in range(dst + src):
        tokens[token, token % 7] = 1
    tokens[config.dst_lanes : dst] += torch.arange(5, 5 + config.dst_lanes)[:, None]
    tokens[dst - 1] = 15
    tokens[dst + 1] = 8
    options = MatchOptions(init=tuple(range(dst)), max_iterations=1)
    values = tokens.to(random_tokens(config, 2, 1, 0).dtype)
    return MatchCase(config, values, dst, src, options)


@cocotb.test()
async def exact(dut: Any) -> None:
    """Every case, one job after another on one engine."""
    rig = DatmBench(dut)
    await rig.reset()
    for case in match_cases(rig.config, 40):
        await rig.run(case)


@cocotb.test()
async def exact_with_stalls(dut: Any) -> None:
    """Random stalls of the memory never change a result."""
    rig = DatmBench(dut, stall=0.4, latency=7)
    await rig.reset()
    for case in match_cases(rig.config, 27):
        await rig.run(case)


@cocotb.test()
async def exact_with_ties(dut: Any) -> None:
    """Coarse tokens, whose distances tie in every way; and a run that converges."""
    rig = DatmBench(dut, stall=0.1, latency=9)
    await rig.reset()
    for case in coarse_cases(rig.config):
        await rig.run(case)


@cocotb.test()
async def spares_what_cannot_matter(dut: Any) -> None:
    """Later pairings compare with the moved slots first; with every_pair each does all work."""
    rig = DatmBench(dut)
    await rig.reset()
    config = rig.config
    case = refined_case(config, 44)
    await rig.run(case)
    pairings = len(case.expect().loss_history)
    assert pairings > 2
    spared, phases = rig.dau_cycles.copy(), rig.cycles.copy()
    unused = {Phase.SORT_CHANNELS} if config.scale_group == 1 else set()
    assert set(phases) == set(PHASES) - unused
    busy = {phase for phase, cycles in spared.items() if cycles}
    assert busy == {Phase.PAIR_MOVED, Phase.PAIR_FULL}

    await rig.run(replace(case, every_pair=True))
    assert rig.cycles[Phase.PAIR_MOVED] == 0
    sizes = case.sizes
    tiles = -(-sizes.num_src // config.src_lanes) * -(-sizes.num_dst // config.dst_lanes)
    whole = pairings * tiles * sizes.chunks
    assert sum(spared.values()) < rig.dau_cycles[Phase.PAIR_FULL] <= whole
    # Passes are abandoned where they take longer than finding their limits.
    if sizes.chunks > Limits(config, merge_wait(config, Dau.latency)).cycles:
        assert rig.dau_cycles[Phase.PAIR_FULL] < whole


@cocotb.test()
async def a_src_has_its_own_limit(dut: Any) -> None:
    """A pass goes on for the sake of one src, although all others have nearer dst."""
    rig = DatmBench(dut)
    await rig.reset()
    case = lonely_case(rig.config)
    nearest = case.expect().dst[case.expect().src == 2 * rig.config.dst_lanes + 1]
    assert rig.config.dst_lanes <= int(nearest) < 2 * rig.config.dst_lanes
    await rig.run(case)


@cocotb.test()
async def first_tile_is_compared_whole(dut: Any) -> None:
    """Where nothing is known of any src, every chunk counts: the DAU's cycles to the number."""
    rig = DatmBench(dut)
    await rig.reset()
    config = rig.config
    options = MatchOptions(seed=1, max_iterations=1)
    tokens = random_tokens(config, 31, config.max_channels, 4)
    case = MatchCase(config, tokens, config.dst_lanes, 7, options)
    await rig.run(case)
    groups = -(-case.sizes.num_src // config.src_lanes)
    assert rig.dau_cycles[Phase.PAIR_FULL] == groups * case.sizes.chunks


@cocotb.test()
async def refuses_bad_jobs(dut: Any) -> None:
    """A job that the config or the algorithm does not allow ends at once and writes nothing."""
    rig = DatmBench(dut)
    await rig.reset()
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
    await rig.reset()
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
async def refuses_bad_lists(dut: Any) -> None:
    """A host's list that is none ends the job, with nothing paired; the next job is right."""
    rig = DatmBench(dut)
    await rig.reset()
    config = rig.config
    good = MatchCase(config, random_tokens(config, 12, 5, 1), 3, 4, MatchOptions(init=(7, 0, 9)))
    for listed in ([7, 0, 7], [7, 12, 9], [7, 1 << 17, 9]):
        good.load(rig.memory.load)
        rig.memory.load(ADDRESS["DST"], host_dst_bytes(listed))
        await rig.start(good.order())
        await rig.finish()
        assert rig.dut.bad_list.value, f"{listed} was accepted"
        assert not rig.cycles[Phase.PAIR_FULL]
        await rig.bench.cycles()
        await rig.run(good)


@cocotb.test()
async def reset_in_mid_run(dut: Any) -> None:
    """A reset in any phase, at some cycle of it, leaves nothing behind."""
    rig = DatmBench(dut, stall=0.2, latency=20)
    await rig.reset()
    case = refined_case(rig.config, 28)
    await rig.run(case)
    lengths = rig.cycles.copy()
    assert lengths[Phase.PAIR_MOVED]
    chance = random.Random(5)
    for phase in PHASES[1:-1]:
        if not lengths[phase]:
            continue
        case.load(rig.memory.load)
        await rig.start(case.order())
        left = chance.randrange(min(lengths[phase], 300))
        while rig.cycles[phase] <= left:
            await rig.bench.cycles()
            assert rig.phase != Phase.DONE, f"{phase} was over before its cycle {left}"
        MET[reset_in(phase)] += 1
        await rig.reset()
    await rig.run(case)


@cocotb.test()
async def meets_what_is_planned(dut: Any) -> None:
    """After all the others: no planned situation stayed away."""
    plan = planned(shared_scales=EngineConfig(**parameters()).scale_group > 1)
    missed = [name for name in plan if not MET[name]]
    assert not missed, f"nothing met {missed}"
    Path(FILE).write_text(json.dumps({name: MET[name] for name in plan}))


@pytest.mark.parametrize("name", CONFIGS)
def test_datm(name: str) -> None:
    config = CONFIGS[name]
    simulate(Datm(config), __name__, f"datm_{name.replace('-', '_')}", given=config.as_dict())
