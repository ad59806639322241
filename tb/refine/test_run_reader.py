"""The run reader against groups taken apart in Python: who has changed, and the members, twice."""

import random
from dataclasses import dataclass, replace
from typing import Any

import cocotb
import pytest

from hw.config import PRESETS, EngineConfig
from hw.refine.run_reader import RunReader, changed_group, group_member
from hw.words import member_record
from tb.jobs import ADDRESS, MEMORY_BYTES, Sizes
from tb.layouts import to_bytes
from tb.memory import LATENCY, Memory, ReadMemory
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, set_value

_LONG = replace(PRESETS["tiny"], max_tokens=500, max_dst=300)
CASES = {
    "ring-of-2": (_LONG, 2, 1),
    "ring-of-4": (_LONG, 4, 2),
    "ring-of-16": (_LONG, 16, 4),
    "ring-of-32": (_LONG, 32, 64),
    "beats-of-8": (replace(_LONG, bus_bytes=64, burst_beats=2, max_channels=128), 8, 2),
}
"""The config, the ring's tokens and the beats of a request."""


@dataclass(frozen=True)
class Run:
    """A group: its slot, its dst, its src with whether they joined, and the count that it had."""

    slot: int
    dst: int
    src: list[tuple[int, int]]
    before: int

    @property
    def changed(self) -> bool:
        """Whether the update has anything to do with it."""
        count = len(self.src)
        return count != self.before or (count > 1 and any(joined for _, joined in self.src))

    def records(self) -> list[dict[str, int]]:
        """The run in memory."""
        fields = {"slot": self.slot, "zero": 0}
        return [
            {"token": self.dst, "is_src": 0, "joined": 0, "count": self.before} | fields,
            *(
                {"token": src, "is_src": 1, "joined": joined, "count": 0} | fields
                for src, joined in self.src
            ),
        ]

    def group(self) -> dict[str, Any]:
        """What is said of a changed group."""
        count = len(self.src)
        return {
            "slot": self.slot,
            "token": self.dst,
            "count": count,
            "recounted": int(count != self.before),
            "small": int(count < 2),
        }

    def members(self) -> list[dict[str, int]]:
        """Its members in both rounds."""
        if len(self.src) < 2:
            return []
        tokens = [self.dst, *(src for src, _ in self.src)]
        return [
            {
                "token": token,
                "count": len(tokens),
                "is_dst": int(place == 0),
                "scoring": scoring,
                "last": int(place == len(tokens) - 1),
            }
            for scoring in (0, 1)
            for place, token in enumerate(tokens)
        ]


def random_runs(counts: list[int], seed: int, *, changes: float) -> list[Run]:
    """Groups of so many src; a share of them has another count than before, or has src joined."""
    pick = random.Random(seed)
    tokens = list(range(sum(counts) + len(counts)))
    pick.shuffle(tokens)
    runs = []
    for slot, count in enumerate(counts):
        dst, *src = (tokens.pop() for _ in range(count + 1))
        change = pick.random() < changes
        joins, recounts = change and pick.random() < 0.7, change and pick.random() < 0.7
        joined = [int(joins and pick.random() < 0.4) for _ in src]
        before = pick.choice([0, 1, count + 1, count + 2]) if recounts else count
        runs.append(Run(slot, dst, list(zip(sorted(src), joined, strict=True)), before))
    return runs


class Rig:
    """A `RunReader` with its memory."""

    def __init__(self, dut: object, *, stall: float = 0.0, latency: int = LATENCY):
        given = parameters()
        self.config = EngineConfig(**given["config"])
        self.ring, self.block = given["ring"], given["block"]
        self.bench = Bench(dut)
        self.dut = self.bench.dut
        self.memory = Memory(MEMORY_BYTES)
        self.dut.start.value = 0
        self.reader = ReadMemory(
            self.bench, "read", self.config, self.memory, latency=latency, stall=stall, seed=1
        )
        self.groups = Sink(self.bench, "group", changed_group(self.config), stall=stall, seed=2)
        self.members = Sink(self.bench, "member", group_member(self.config), stall=stall, seed=3)

    def stop(self) -> None:
        """Stop all drivers, as on a reset."""
        for driver in (self.reader, self.groups, self.members):
            driver.stop()

    async def start(self, runs: list[Run]) -> Sizes:
        """Load the records of ``runs`` and start."""
        records = [record for run in runs for record in run.records()]
        self.memory.load(ADDRESS["RECORDS"], to_bytes(member_record(), records))
        sizes = Sizes(self.config, len(records), 1, len(runs))
        set_value(self.dut.job, sizes.job())
        await self.bench.cycles()
        self.dut.start.value = 1
        await self.bench.cycles()
        self.dut.start.value = 0
        return sizes

    async def run(self, runs: list[Run]) -> int:
        """One list; compare all that comes of it. Returns its cycles."""
        logs = self.groups.taken, self.members.taken, self.reader.requests, self.reader.sent
        for log in logs:
            log.clear()
        sizes = await self.start(runs)
        began = self.bench.cycle
        await self.bench.cycles()
        while self.dut.busy.value:
            await self.bench.cycles()
            assert self.bench.cycle - began < 100_000, "busy for ever"
        took = self.bench.cycle - began

        changed = [run for run in runs if run.changed]
        assert self.groups.values == [run.group() for run in changed]
        assert self.members.values == [member for run in changed for member in run.members()]
        place = 0
        for (cycle, _), run in zip(self.groups.taken, changed, strict=True):
            assert place == 0 or self.members.taken[place - 1][0] < cycle
            assert not run.members() or cycle < self.members.taken[place][0]
            place += len(run.members())

        step = self.config.bus_bytes
        beats = self.config.beats_of(sizes.tokens, 64)
        asked = [(address - ADDRESS["RECORDS"]) // step for _, address, _ in self.reader.requests]
        counts = [count for _, _, count in self.reader.requests]
        assert all(at + n <= beats for at, n in zip(asked, counts, strict=True))
        assert max(counts) <= self.block
        assert len(self.reader.sent) == sum(counts), "beats are left in the memory"
        again = [run for run in changed if len(run.src) >= max(2, self.ring)]
        in_vain = sum(2 * (2 * self.block + len(run.src) // 2 + 2) for run in again)
        assert beats <= sum(counts) <= beats + in_vain
        return took


def lists(rig: Rig) -> list[list[Run]]:
    """Groups around the ring's size and far beyond it, many small ones, and ends within a beat."""
    ring = rig.ring
    mixed = [0, 1, 2, 3, ring - 2, ring - 1, ring, ring + 1, 0, 2 * ring + 1, 4 * ring, 1, 2, 3, 5]
    mixed = [max(0, count) for count in mixed]
    pick = random.Random(ring)
    most = rig.config.max_tokens
    found = [
        random_runs([1], 1, changes=1),
        random_runs([0, 2], 2, changes=1),
        random_runs([most - 1], 3, changes=1),
        random_runs([most - 2], 4, changes=0),
        random_runs([pick.choice([0, 1, 1, 2, 3]) for _ in range(120)], 5, changes=0.3),
        random_runs([ring - 1] * 6 + [ring] * 4 + [2] * 5, 6, changes=0.8),
    ]
    for seed, changes in enumerate((0.2, 0.5, 1.0)):
        pick.shuffle(mixed)
        found.append(random_runs(mixed, seed, changes=changes))
    return found


@cocotb.test()
@cocotb.parametrize(
    (("stall", "latency"), [(0.0, 0), (0.0, 30), (0.3, 0), (0.7, 30)]),
)
async def every_list(dut: object, stall: float, latency: int) -> None:
    """Lists one after another, with stalls everywhere."""
    rig = Rig(dut, stall=stall, latency=latency)
    await rig.bench.reset()
    for runs in lists(rig):
        await rig.run(runs)
    rig.stop()


@cocotb.test()
async def cycles_of_a_scan(dut: object) -> None:
    """A cycle a record and one a run, where nothing has changed."""
    rig = Rig(dut, latency=0)
    await rig.bench.reset()
    shapes = [3] * 9, [3] * 30, [0] * 40, [20] * 7
    if rig.block < 4:
        return  # Requests too short to read far enough ahead.
    took = [await rig.run(random_runs(list(counts), 1, changes=0)) for counts in shapes]
    scans = [RunReader.scan_cycles(sum(counts) + len(counts), len(counts)) for counts in shapes]
    assert [each - took[0] for each in took] == [each - scans[0] for each in scans]
    assert 0 < took[0] - scans[0] < 12


@cocotb.test()
async def cycles_of_a_member(dut: object) -> None:
    """Every second cycle from the ring, and every cycle where the run is read again."""
    rig = Rig(dut, latency=0)
    await rig.bench.reset()
    for count in (rig.ring - 1, max(rig.ring, 150)):
        if count < 2 or (count >= rig.ring and rig.block < 4):
            continue
        await rig.run([Run(0, count, [(src, 1) for src in range(count)], 0)])
        cycles = [cycle for cycle, _ in rig.members.taken][: count + 1]
        pace = RunReader.member_cycles if count < rig.ring else 1
        assert cycles == list(range(cycles[0], cycles[0] + pace * len(cycles), pace))


@cocotb.test()
async def reset_in_mid_run(dut: object) -> None:
    """After a reset at any time nothing of the list before is left."""
    rig = Rig(dut, latency=10)
    await rig.bench.reset()
    for seed, cycles in enumerate([1, 2, 3, 13, 14, 15, 40, 90, 200]):
        await rig.start(lists(rig)[-1])
        await rig.bench.cycles(cycles)
        rig.stop()
        await rig.bench.reset()
        rig = Rig(dut, latency=10)
        await rig.run(random_runs([0, 3, 2 * rig.ring, 1, 2], seed, changes=1))
    rig.stop()


@pytest.mark.parametrize("name", CASES)
def test_run_reader(name: str) -> None:
    config, ring, block = CASES[name]
    simulate(
        RunReader(config, ring, block),
        __name__,
        f"run_reader_{name.replace('-', '_')}",
        given={"config": config.as_dict(), "ring": ring, "block": block},
    )
