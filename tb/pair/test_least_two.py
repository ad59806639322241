"""Least two against sorting in plain Python, with ties everywhere, tiles as close as may be."""

import random
from dataclasses import replace
from typing import Any

import cocotb
import pytest

from hw.config import PRESETS, EngineConfig
from hw.pair.least_two import LeastTwo, nearest
from hw.words import NO_SLOT
from tb.layouts import decode, encode
from tb.runner import parameters, simulate
from tb.streams import Bench, Lookup, set_value, unsigned

TINY = PRESETS["tiny"]
CONFIGS = {
    "one": replace(TINY, dst_lanes=1, src_lanes=1, src_groups=1),
    "two": replace(TINY, dst_lanes=2, src_lanes=2, src_groups=3),
    "three": replace(TINY, dst_lanes=3, src_lanes=6, src_groups=2),
    "four": replace(TINY, dst_lanes=4, src_lanes=1, src_groups=2),
}


class Rig:
    """A `LeastTwo`, and the slots of the groups that the src were in."""

    def __init__(self, dut: Any, seed: int):
        self.config = EngineConfig(**parameters())
        self.farthest = (1 << self.config.distance_bits) - 1
        self.bench = Bench(dut)
        self.dut = dut
        self.random = random.Random(seed)
        self.groups = [0] * self.config.resident_src
        self._tile = LeastTwo(self.config).tile.payload.shape()
        dut.tile__valid.value = 0
        Lookup(self.bench, "group_slot", lambda index: (self.groups + [0] * index)[index])

    def _some(self, kind: str) -> int:
        """A distance: one of few, the largest that there are, or any."""
        largest = self.config.max_channels * ((1 << self.config.weight_bits) - 1) * 225
        few = {"same": [7], "few": [0, 1, 2], "large": [largest, largest - 1, 0]}
        return self.random.choice(few[kind]) if kind in few else self.random.randint(0, largest)

    async def src_tile(
        self, slots: list[int], kind: str, gap: int = 0, abandon: float = 0.0
    ) -> list[dict[str, int]]:
        """Send the dst tiles of so many slots; what is nearest to each src.

        ``gap`` is the most cycles that a tile comes later than it may, ``abandon`` the share of
        tiles of which no distance counts.
        """
        config, pick = self.config, self.random
        src = range(config.resident_src)
        self.groups = [pick.choice([*slots, *range(config.max_dst), NO_SLOT]) for _ in src]
        distance = [[self._some(kind) for _ in slots] for _ in src]
        tiles = [
            (place, base)
            for place in range(0, len(slots), config.dst_lanes)
            for base in range(0, config.resident_src, config.src_lanes)
        ]
        for place, base in tiles:
            own = slice(place, place + config.dst_lanes)
            lanes = len(slots[own])
            # What is in unused lanes must not count, least of all if it is nearer.
            spare = [0] * (config.dst_lanes - lanes)
            group = range(base, base + config.src_lanes)
            distances = [distance[number][own] + spare for number in group]
            abandoned = pick.random() < abandon
            if abandoned:
                for number in group:
                    distance[number][own] = [self.farthest] * lanes
            set_value(
                self.dut.tile__payload,
                encode(
                    self._tile,
                    {
                        "distances": distances,
                        "slots": slots[own] + [self.groups[base] % config.max_dst for _ in spare],
                        "lanes": lanes,
                        "base": base,
                        "first": int(place == 0),
                        "abandoned": int(abandoned),
                    },
                ),
            )
            self.dut.tile__valid.value = 1
            await self.bench.cycles()
            self.dut.tile__valid.value = 0
            set_value(self.dut.tile__payload, pick.getrandbits(len(self.dut.tile__payload)))
            await self.bench.cycles(LeastTwo.cycles(config) - 1 + pick.randint(0, gap))
        return [self._nearest(distance[number], slots, self.groups[number]) for number in src]

    def _nearest(self, distance: list[int], slots: list[int], group: int) -> dict[str, int]:
        ranked = sorted(zip(distance, slots, strict=True))
        second = ranked[1][0] if len(ranked) > 1 else self.farthest
        least, slot = ranked[0]
        return {"least": least, "slot": slot, "second": second, "met": int(group in slots)}

    async def compare(self, expected: list[dict[str, int]]) -> None:
        """Ask for every src, in any order, from the first cycle on in which that may be."""
        order = list(range(self.config.resident_src))
        self.random.shuffle(order)
        asked: list[int] = []
        for number in [*order, order[0]]:
            set_value(self.dut.found__index, number)
            await self.bench.cycles()
            if asked:
                found = decode(nearest(self.config), unsigned(self.dut.found__entry.value))
                wanted = expected[asked[-1]]
                if wanted["least"] == self.farthest:
                    found["slot"] = wanted["slot"]  # Of no distance, there is no slot.
                assert found == wanted, f"src {asked[-1]}"
            asked.append(number)

    def slots(self, count: int) -> list[int]:
        """Some of the slots, ascending, as a list has them."""
        return sorted(self.random.sample(range(self.config.max_dst), count))


async def check(dut: object, gap: int) -> None:
    """Lists of every length, one src tile after another."""
    rig = Rig(dut, gap)
    await rig.bench.reset()
    lanes, most = rig.config.dst_lanes, rig.config.max_dst
    for count in sorted({*range(1, 2 * lanes + 2), 3 * lanes, most - 1, most}):
        for kind in ("same", "few", "few", "large", "any"):
            await rig.compare(await rig.src_tile(rig.slots(count), kind, gap))


@cocotb.test()
async def as_close_as_may_be(dut: object) -> None:
    """A tile every `cycles`, and the first question `cycles` after the last."""
    await check(dut, 0)


@cocotb.test()
async def with_gaps(dut: object) -> None:
    """Tiles that come later, at random."""
    await check(dut, 9)


@cocotb.test()
async def abandoned_tiles(dut: object) -> None:
    """Some tiles, or all, tell of their slots alone, whatever distances come with them."""
    rig = Rig(dut, 3)
    await rig.bench.reset()
    for count in (1, rig.config.dst_lanes + 1, 4 * rig.config.dst_lanes - 1):
        for share in (0.3, 0.3, 0.7, 1.0):
            for kind in ("few", "large"):
                slots = rig.slots(count)
                await rig.compare(await rig.src_tile(slots, kind, abandon=share))


@cocotb.test()
async def one_slot(dut: object) -> None:
    """Of one slot there is no second: what stands for it is more than any distance."""
    rig = Rig(dut, 5)
    await rig.bench.reset()
    for kind in ("large", "few", "any"):
        expected = await rig.src_tile(rig.slots(1), kind)
        assert {each["second"] for each in expected} == {rig.farthest}
        await rig.compare(expected)


@cocotb.test()
async def reset_in_mid_tile(dut: object) -> None:
    """A src tile that was begun before a reset leaves nothing to the next."""
    rig = Rig(dut, 6)
    await rig.bench.reset()
    for cycles in range(1, 2 * LeastTwo.cycles(rig.config)):
        cut = cocotb.start_soon(rig.src_tile(rig.slots(3 * rig.config.dst_lanes), "few"))
        await rig.bench.cycles(cycles)
        cut.cancel()
        rig.dut.tile__valid.value = 0
        await rig.bench.reset()
        await rig.compare(await rig.src_tile(rig.slots(rig.config.dst_lanes + 1), "few"))


@pytest.mark.parametrize("name", CONFIGS)
def test_least_two(name: str) -> None:
    config = CONFIGS[name]
    simulate(LeastTwo(config), __name__, f"least_two_{name}", given=config.as_dict())
