"""Initialize against the golden sampler and against the host's list: assignments and cycles."""

import random

import cocotb
import pytest

from golden.sampler import sample
from hw.config import DST_WORD_BITS, PRESETS, EngineConfig
from hw.refine.initialize import Initialize
from hw.refine.sampler import Sampler
from hw.words import assignment
from tb.jobs import ADDRESS, MEMORY_BYTES, Sizes
from tb.layouts import to_bytes
from tb.memory import LATENCY, Memory, ReadMemory
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, Watch, set_value

CONFIGS = {
    "tiny": PRESETS["tiny"],
    "demo": PRESETS["demo"],
}


class Rig:
    """An `Initialize` with its memory."""

    def __init__(self, bench: Bench, *, stall: float = 0.0):
        self.config = EngineConfig(**parameters())
        self.bench = bench
        self.dut = bench.dut
        self.memory = Memory(MEMORY_BYTES)
        self.started = Watch(bench, "run__start")
        self.done = Watch(bench, "run__done")
        self.beats = Watch(bench, "read__beat__valid")
        self._stall = stall
        self._connect()
        self.dut.run__start.value = 0

    def _connect(self) -> None:
        self.reader = ReadMemory(
            self.bench, "read", self.config, self.memory, stall=self._stall, seed=1
        )
        self.assigned = Sink(
            self.bench, "assign", assignment(self.config), stall=self._stall, seed=2
        )

    async def reset(self) -> None:
        """Reset the component, and memory with it."""
        self.reader.stop()
        self.assigned.stop()
        await self.bench.reset()
        self._connect()

    async def start(self, tokens: int, num_dst: int, seed: int, host: list[int] | None) -> None:
        """Start with the sampler, or with the list ``host`` in memory."""
        if host is not None:
            self.memory.load(ADDRESS["DST"], to_bytes(DST_WORD_BITS, host))
        set_value(self.dut.job, Sizes(self.config, tokens, 1, num_dst).job())
        set_value(self.dut.seed, seed)
        self.dut.host_init.value = int(host is not None)
        await self.bench.start()

    async def run(self, tokens: int, num_dst: int, seed: int, *, host: bool) -> list[int]:
        """One list; compare every assignment and done. Returns the cycles of the assignments."""
        pick = random.Random(seed)
        given = pick.sample(range(tokens), num_dst) if host else None
        expected = sample(tokens, num_dst, seed).tolist() if given is None else given
        assigned, finished = len(self.assigned.taken), len(self.done.cycles)
        requested = len(self.reader.requests)
        await self.start(tokens, num_dst, seed, given)
        await self.bench.done(20 * tokens + 10 * LATENCY)
        await self.bench.cycles()
        taken, values = self.assigned.taken[assigned:], self.assigned.values[assigned:]
        assert [(each["slot"], each["token"], each["replaces"]) for each in values] == [
            (slot, token, 0) for slot, token in enumerate(expected)
        ]
        assert self.done.cycles[finished:] == [taken[-1][0]]
        asked = [(address, count) for _, address, count in self.reader.requests[requested:]]
        beats = Sizes(self.config, tokens, 1, num_dst).dst_beats
        assert asked == ([(ADDRESS["DST"], beats)] if host else [])
        return [cycle for cycle, _ in taken]


def sizes_of(config: EngineConfig) -> list[tuple[int, int]]:
    """(N, M): one slot, N = M + 1, lists that end within a beat, the largest."""
    most, slots = config.max_tokens, config.max_dst
    return [(2, 1), (slots + 1, slots), (40, 17), (most, 1), (most, slots)]


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.5])
async def both_ways(dut: object, stall: float) -> None:
    """The host's list and the sampler's by turns, each started right after the one before."""
    rig = Rig(Bench(dut), stall=stall)
    await rig.bench.reset()
    for seed, (tokens, num_dst) in enumerate(sizes_of(rig.config)):
        await rig.run(tokens, num_dst, seed, host=False)
        await rig.run(tokens, num_dst, seed, host=True)


@cocotb.test()
async def cycles_of_a_list(dut: object) -> None:
    """The host's list one slot a cycle; the sampler's when it decides on each token."""
    rig = Rig(Bench(dut))
    await rig.bench.reset()
    tokens, num_dst = rig.config.max_tokens, rig.config.max_dst
    cycles = await rig.run(tokens, num_dst, 5, host=True)
    assert cycles == list(range(cycles[0], cycles[0] + num_dst))
    assert cycles[0] == rig.beats.cycles[0]
    assert rig.reader.requests[0][0] == rig.started.cycles[0] + 1

    cycles = await rig.run(tokens, num_dst, 5, host=False)
    first = rig.started.cycles[-1] + Sampler(rig.config).latency
    assert cycles == [first + token for token in sample(tokens, num_dst, 5).tolist()]


@cocotb.test()
async def reset_in_mid_run(dut: object) -> None:
    """After a reset at any time nothing of the list before is left."""
    rig = Rig(Bench(dut))
    await rig.bench.reset()
    for seed, cycles in enumerate([1, 2, 15, 25, LATENCY, LATENCY + 2, LATENCY + 5]):
        for host in (False, True):
            await rig.start(40, 20, seed, list(range(20)) if host else None)
            await rig.bench.cycles(cycles)
            await rig.reset()
            await rig.run(30, 12, seed + 50, host=bool((cycles + host) % 2))


@pytest.mark.parametrize("name", CONFIGS)
def test_initialize(name: str) -> None:
    config = CONFIGS[name]
    simulate(Initialize(config), __name__, f"initialize_{name}", given=config.as_dict())
