"""Limits against plain Python: of each lane the value, and the cycle from which it may be used."""

import random
from dataclasses import replace
from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from hw.config import PRESETS, EngineConfig
from hw.pair.least_two import nearest
from hw.pair.limits import Limits, merge_wait
from tb.layouts import decode, encode
from tb.runner import parameters, simulate
from tb.streams import Bench, Lookup, unsigned

TINY = PRESETS["tiny"]
WAIT = 5
CONFIGS = {
    "one": replace(TINY, dst_lanes=1, src_lanes=1, src_groups=3),
    "two": TINY,
    "six": replace(TINY, dst_lanes=3, src_lanes=6, src_groups=3),
}


class Rig:
    """A `Limits`, and what is known of the src of a tile."""

    def __init__(self, dut: Any, seed: int):
        self.config = EngineConfig(**parameters())
        self.unit = Limits(self.config, WAIT)
        self.bench = Bench(dut)
        self.dut = dut
        self.random = random.Random(seed)
        self.farthest = (1 << self.config.distance_bits) - 1
        self.found = [0] * self.config.resident_src
        self.bound = [0] * self.config.resident_src
        self.asked_from = 0
        self._nearest = nearest(self.config)
        dut.start.value = 0
        Lookup(self.bench, "found", lambda index: self._entry(index))
        Lookup(self.bench, "bound", lambda index: (self.bound + [0] * index)[index])

    def _entry(self, index: int) -> int:
        """What the table of the two nearest answers: of nothing but the second one use is made."""
        rest = {"least": 0, "slot": 0, "met": self.random.randint(0, 1)}
        return encode(self._nearest, rest | {"second": (self.found + [0] * index)[index]})

    def shuffle(self) -> None:
        """Other distances in both tables: few, so that they are alike, or any."""
        for table in (self.found, self.bound):
            most = self.random.choice([2, self.farthest])
            table[:] = [
                self.random.choice([self.random.randint(0, most), self.farthest]) for _ in table
            ]

    async def start(self, group: int, count: int, *, first: bool, moved: bool) -> list[int | None]:
        """Begin a pass; the limit of each lane, None where there is no src."""
        self.dut.start.value = 1
        await self.bench.cycles()
        self.dut.start.value = 0
        base = group * self.config.src_lanes
        self.dut.base.value = base
        self.dut.count.value = count
        self.dut.first.value = int(first)
        self.dut.moved.value = int(moved)

        def limit(index: int) -> int:
            if not moved:
                return self.found[index]
            return self.bound[index] if first else min(self.bound[index], self.found[index])

        lanes = range(base, base + self.config.src_lanes)
        return [limit(index) if index < count else None for index in lanes]

    def read(self) -> list[int | None]:
        """The limits that are told."""
        limits = decode(self.unit.limit.shape(), unsigned(self.dut.limit.value))
        idle = unsigned(self.dut.idle.value)
        return [None if idle >> lane & 1 else limit for lane, limit in enumerate(limits)]

    def any_pass(self) -> dict[str, Any]:
        """What a pass may be like."""
        config, pick = self.config, self.random
        count = pick.randint(1, config.resident_src)
        groups = -(-count // config.src_lanes)
        return {
            "group": pick.randrange(groups),
            "count": count,
            "first": bool(pick.getrandbits(1)),
            "moved": bool(pick.getrandbits(1)),
        }


@cocotb.test()
async def limits_in_their_cycle(dut: Any) -> None:
    """Valid from `cycles` after start on, no sooner, and for as long as nothing starts."""
    rig = Rig(dut, 1)
    await rig.bench.reset()
    for _ in range(60):
        rig.shuffle()
        kind = rig.any_pass()
        expected = await rig.start(**kind)
        known = kind["moved"] or not kind["first"]
        for cycle in range(1, rig.unit.cycles + 6):
            await rig.bench.cycles()
            valid = known and cycle >= rig.unit.cycles
            assert bool(dut.valid.value) == valid, f"cycle {cycle} after start"
            assert not valid or rig.read() == expected


@cocotb.test()
async def a_start_ends_what_was_before(dut: Any) -> None:
    """Starts at every distance: the limits of a pass never outlive it, however short it is."""
    rig = Rig(dut, 2)
    await rig.bench.reset()
    for distance in list(range(1, rig.unit.cycles + 4)) * 3:
        rig.shuffle()
        await rig.start(0, 1, first=False, moved=True)
        await rig.bench.cycles(distance - 1)
        kind = rig.any_pass()
        expected = await rig.start(**kind)
        known = kind["moved"] or not kind["first"]
        for cycle in range(1, rig.unit.cycles + 1):
            await rig.bench.cycles()
            valid = known and cycle == rig.unit.cycles
            assert bool(dut.valid.value) == valid, f"{distance}, then cycle {cycle}"
        assert not known or rig.read() == expected


@cocotb.test()
async def tables_are_asked_when_they_are_free(dut: Any) -> None:
    """What they answer sooner, while the pass before is merged, is of no use and is not used."""
    rig = Rig(dut, 3)
    await rig.bench.reset()
    for _ in range(20):
        rig.found[:] = [rig.random.getrandbits(8) for _ in rig.found]
        rig.bound[:] = [rig.random.getrandbits(8) for _ in rig.bound]
        before = list(rig.found), list(rig.bound)
        kind = rig.any_pass() | {"first": False}
        rig.shuffle()
        expected = await rig.start(**kind)
        after = list(rig.found), list(rig.bound)
        rig.found[:], rig.bound[:] = before
        await rig.bench.cycles(WAIT)
        rig.found[:], rig.bound[:] = after
        await rig.bench.cycles(rig.unit.cycles - WAIT)
        assert dut.valid.value
        assert rig.read() == expected


@cocotb.test()
async def reset_in_mid_run(dut: Any) -> None:
    """After a reset nothing is valid until a pass has begun."""
    rig = Rig(dut, 4)
    await rig.bench.reset()
    for cycles in range(rig.unit.cycles + 2):
        await rig.start(0, 1, first=False, moved=False)
        await rig.bench.cycles(cycles)
        await rig.bench.reset()
        for _ in range(rig.unit.cycles + 2):
            await RisingEdge(dut.clk)
            assert not dut.valid.value


def test_the_wait_is_the_way_of_the_last_distances() -> None:
    """The DAU's register, its latency, and the merging of Q src."""
    assert merge_wait(CONFIGS["six"], 4) == 4 + 1 + 6 + 2 + 3


@pytest.mark.parametrize("name", CONFIGS)
def test_limits(name: str) -> None:
    config = CONFIGS[name]
    simulate(Limits(config, WAIT), __name__, f"limits_{name}", given=config.as_dict())
