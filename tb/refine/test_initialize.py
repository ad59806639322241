"""Initialize against the golden sampler and against the host's list: memory, words and cycles."""

import random
from dataclasses import replace
from itertools import pairwise
from typing import Any

import cocotb
import pytest

from golden.sampler import sample
from hw.bus.client import Request
from hw.config import ENTRY_BITS, PRESETS, EngineConfig
from hw.refine.initialize import Initialize
from hw.refine.list_check import ListCheck
from hw.refine.sampler import Sampler
from hw.words import NO_SLOT, dst_word, entry
from tb.jobs import ADDRESS, MEMORY_BYTES, Sizes, dst_words, host_dst_bytes
from tb.layouts import from_bytes, to_bytes
from tb.memory import LATENCY, Memory, ReadMemory, WriteMemory
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, Watch, set_value

CONFIGS = {
    "tiny": PRESETS["tiny"],
    "demo": PRESETS["demo"],
    "wide": replace(PRESETS["tiny"], bus_bytes=128, max_channels=256, max_tokens=75, max_dst=74),
}
ENTRIES, DST = ADDRESS["ENTRIES"], ADDRESS["DST"]
ENTRY_BYTES = ENTRY_BITS // 8
DST_BYTES = 8


def expected_entries(tokens: int, dst: list[int]) -> bytes:
    """The entries of N tokens, of which some are dst, as memory holds them."""
    blank = dict.fromkeys((name for name, _ in entry()), 0)
    entries = [blank | {"full": 1, "slot": NO_SLOT} for _ in range(tokens)]
    for slot, token in enumerate(dst):
        entries[token] = blank | {"is_dst": 1, "slot": slot}
    return to_bytes(entry(), entries)


class Rig:
    """An `Initialize` with its memory."""

    def __init__(self, bench: Bench, *, stall: float = 0.0):
        self.config = EngineConfig(**parameters())
        self.bench = bench
        self.dut = bench.dut
        self.memory = Memory(MEMORY_BYTES)
        self.done = Watch(bench, "run__done")
        self.idle = Watch(bench, "write__idle")
        self._stall = stall
        self._connect()
        self.dut.run__start.value = 0

    def _connect(self) -> None:
        self.reader = ReadMemory(
            self.bench, "read", self.config, self.memory, stall=self._stall, seed=1
        )
        self.writer = WriteMemory(
            self.bench, "write", self.config, self.memory, stall=self._stall, seed=2
        )

    async def reset(self) -> None:
        """Reset the component, and memory with it."""
        self.reader.stop()
        self.writer.stop()
        await self.bench.reset()
        self._connect()

    async def start(self, tokens: int, num_dst: int, seed: int, host: list[int] | None) -> None:
        """Start with the sampler, or with the list ``host`` in memory."""
        if host is not None:
            self.memory.load(DST, host_dst_bytes(host))
        set_value(self.dut.job, Sizes(self.config, tokens, 1, num_dst).job())
        set_value(self.dut.seed, seed)
        self.dut.host_init.value = int(host is not None)
        await self.bench.start()

    async def run(self, tokens: int, num_dst: int, seed: int, *, host: bool) -> list[int]:
        """One list; compare memory in the cycle of done. Returns the list."""
        given = random.Random(seed).sample(range(tokens), num_dst) if host else None
        dst = sample(tokens, num_dst, seed).tolist() if given is None else given
        step, sizes = self.config.bus_bytes, Sizes(self.config, tokens, 1, num_dst)
        finished = len(self.done.cycles)
        read, written = len(self.reader.requests), len(self.writer.requests)
        await self.start(tokens, num_dst, seed, given)
        behind_entries = ENTRIES + sizes.entry_beats * step
        untouched = [(0, ENTRIES), (behind_entries, DST), (DST + num_dst * DST_BYTES, MEMORY_BYTES)]
        before = [self.memory.read(begin, end - begin) for begin, end in untouched]
        await self.bench.done(30 * tokens + 20 * LATENCY)
        assert self.memory.read(ENTRIES, tokens * ENTRY_BYTES) == expected_entries(tokens, dst)
        listed = from_bytes(dst_word(), self.memory.read(DST, num_dst * DST_BYTES))
        assert listed == dst_words(dst)
        assert [self.memory.read(begin, end - begin) for begin, end in untouched] == before
        asked = [(address, count) for _, address, count in self.reader.requests[read:]]
        assert asked == ([(DST, sizes.dst_beats), (ENTRIES, sizes.entry_beats)] if host else [])
        assert self.dut.bad_list.value == 0
        expected = [(ENTRIES, sizes.entry_beats)]
        for slot, token in enumerate(dst):
            expected += [
                ((DST + DST_BYTES * slot) // step * step, 1),
                ((ENTRIES + ENTRY_BYTES * token) // step * step, 1),
            ]
        requests = self.writer.requests[written:]
        assert [(address, beats) for _, address, beats in requests] == expected
        await self.bench.cycles(3)
        assert len(self.done.cycles) == finished + 1
        return dst


def sizes_of(config: EngineConfig) -> list[tuple[int, int]]:
    """(N, M): one slot, N = M + 1, lists that end within a beat, the largest."""
    most, slots = config.max_tokens, config.max_dst
    return [(2, 1), (min(slots, 60) + 1, min(slots, 60)), (41, 17), (most, 1), (most, slots)]


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.5])
async def both_ways(dut: Any, stall: float) -> None:
    """The host's list and the sampler's by turns, each started right after the one before."""
    rig = Rig(Bench(dut), stall=stall)
    await rig.bench.reset()
    for seed, (tokens, num_dst) in enumerate(sizes_of(rig.config)):
        await rig.run(tokens, num_dst, seed, host=False)
        await rig.run(tokens, num_dst, seed, host=True)


class FastRig:
    """An `Initialize` whose memory takes a request and a beat a cycle, and is always idle."""

    def __init__(self, bench: Bench):
        self.config = EngineConfig(**parameters())
        self.bench = bench
        self.dut = bench.dut
        self.memory = Memory(MEMORY_BYTES)
        self.reader = ReadMemory(bench, "read", self.config, self.memory)
        self.requests = Sink(bench, "write__request", Request(self.config))
        self.beats = Sink(bench, "write__beat")
        self.started = Watch(bench, "run__start")
        self.done = Watch(bench, "run__done")
        self.asked = Watch(bench, "read__request__valid")
        self.offered = Watch(bench, "read__beat__valid")
        self.dut.write__idle.value = 1
        self.dut.run__start.value = 0

    async def run(self, tokens: int, num_dst: int, seed: int, host: list[int] | None) -> list[int]:
        """One list: check the cycles up to where it begins; those from there to each word."""
        sizes = Sizes(self.config, tokens, 1, num_dst)
        if host is not None:
            self.memory.load(DST, host_dst_bytes(host))
        set_value(self.dut.job, sizes.job())
        set_value(self.dut.seed, seed)
        self.dut.host_init.value = int(host is not None)
        await self.bench.start()
        await self.bench.done(10 * tokens + 2 * LATENCY)
        await self.bench.cycles()
        asked, *words = [cycle for cycle, _ in self.requests.taken]
        filled = [cycle for cycle, _ in self.beats.taken[: sizes.entry_beats]]
        assert asked == self.started.cycles[0] + 1
        assert filled == [asked + 1 + beat for beat in range(sizes.entry_beats)]
        # Each word's request and beat go at once; the cycle after the last is idle.
        assert [cycle for cycle, _ in self.beats.taken[sizes.entry_beats :]] == words
        if host is None:
            assert self.done.cycles == [words[-1] + 2]
        else:
            assert self.reader.requests[-1][0] == words[-1] + 2
            checked = self.reader.sent[-1][0] + ListCheck.latency
            assert self.done.cycles == [checked + 1]
        begun = filled[-1] + 2
        return [cycle - begun for cycle in words]


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.5])
async def bad_lists(dut: Any, stall: float) -> None:
    """A token that is there twice, or too large in any of its 32 bits: told, and nothing harmed."""
    rig = Rig(Bench(dut), stall=stall)
    await rig.bench.reset()
    tokens, num_dst = 40, 20
    step, sizes = rig.config.bus_bytes, Sizes(rig.config, tokens, 1, num_dst)
    own = [(ENTRIES, ENTRIES + sizes.entry_beats * step), (DST, DST + num_dst * DST_BYTES)]
    good = random.Random(3).sample(range(tokens), num_dst)
    bad = {(0, good[19]), (19, good[0]), (7, good[8]), (18, good[17])}
    bad |= {(place, tokens) for place in (0, 9, 19)}
    bad |= {(4, good[4] | 1 << bit) for bit in range(tokens.bit_length(), 32)}
    for place, token in sorted(bad):
        listed = [*good[:place], token, *good[place + 1 :]]
        await rig.start(tokens, num_dst, 1, listed)
        before = Memory(MEMORY_BYTES)
        before.bytes[:] = rig.memory.bytes
        await rig.bench.done(30 * tokens + 20 * LATENCY)
        assert rig.dut.bad_list.value == 1, f"slot {place} was {token}"
        for begin, end in own:
            before.bytes[begin:end] = rig.memory.bytes[begin:end]
        assert before.bytes == rig.memory.bytes, "something else was written"
        await rig.bench.cycles()
        await rig.run(tokens, num_dst, place, host=bool(token % 2))


@cocotb.test()
async def cycles_of_a_sampled_list(dut: Any) -> None:
    """A slot when its token is decided, but not before the words of the slot before are made."""
    rig = FastRig(Bench(dut))
    await rig.bench.reset()
    tokens, num_dst = 60, 25
    words = await rig.run(tokens, num_dst, 5, None)
    dst = sample(tokens, num_dst, 5).tolist()
    taken = Sampler.latency + dst[0]
    expected = []
    for slot, token in enumerate(dst):
        if slot:
            taken += max(Initialize.slot_cycles, token - dst[slot - 1])
        expected += [taken + Initialize.slot_latency, taken + Initialize.slot_latency + 1]
    assert words == expected
    gaps = {later - token for token, later in pairwise(dst)}
    assert {1, 2, 3} <= gaps, "the list shows no wait of either side"


@cocotb.test()
async def cycles_of_the_hosts_list(dut: Any) -> None:
    """It is asked for in the cycle after it begins, and each slot has its cycles."""
    rig = FastRig(Bench(dut))
    await rig.bench.reset()
    tokens, num_dst = 41, 17
    words = await rig.run(tokens, num_dst, 5, random.Random(1).sample(range(tokens), num_dst))
    answered = rig.offered.cycles[0] - rig.asked.cycles[0]
    first = 1 + answered + Initialize.slot_latency
    assert words == list(range(first, first + num_dst * Initialize.slot_cycles))


@cocotb.test()
async def done_follows_memory(dut: Any) -> None:
    """Done comes in the cycle after memory, which takes its time, is idle again."""
    rig = Rig(Bench(dut))
    await rig.bench.reset()
    await rig.run(20, 9, 1, host=False)
    last = rig.writer.beats[-1][0]
    idle = [cycle for cycle in rig.idle.cycles if cycle > last]
    assert rig.done.cycles == [idle[0] + 1]
    assert idle[0] >= last + LATENCY


@cocotb.test()
async def reset_in_mid_run(dut: Any) -> None:
    """After a reset at any time nothing of the list before is left."""
    rig = Rig(Bench(dut))
    await rig.bench.reset()
    entries = Sizes(rig.config, 40, 1, 20).entry_beats
    begun = 1 + 1 + entries + LATENCY
    for seed, cycles in enumerate([1, 2, 4, begun - 3, begun + 2, begun + 20, begun + LATENCY + 9]):
        for host in (False, True):
            await rig.start(40, 20, seed, list(range(20)) if host else None)
            await rig.bench.cycles(cycles)
            assert len(rig.done.cycles) == 2 * seed + host, "the run ended before the reset"
            await rig.reset()
            await rig.run(30, 12, seed + 50, host=bool((cycles + host) % 2))


@pytest.mark.parametrize("name", CONFIGS)
def test_initialize(name: str) -> None:
    config = CONFIGS[name]
    simulate(Initialize(config), __name__, f"initialize_{name}", given=config.as_dict())
