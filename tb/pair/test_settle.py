"""Settle against its rule in plain Python, branch by branch, and against whole comparisons."""

import random
from collections import Counter
from dataclasses import replace
from itertools import product
from typing import Any

import cocotb
import pytest

from hw.bus.word_writer import written_word
from hw.config import PRESETS, EngineConfig
from hw.pair.least_two import nearest
from hw.pair.settle import Settle
from hw.pair.src_rows import known_src
from hw.words import NO_SLOT, entry
from tb.layouts import decode, encode
from tb.runner import parameters, simulate
from tb.streams import Bench, Lookup, Sink, Source, set_value, unsigned

TINY = PRESETS["tiny"]
CONFIGS = {
    "one": replace(TINY, src_lanes=1, src_groups=1),
    "six": replace(TINY, src_lanes=6, src_groups=3),
    "paper": PRESETS["paper"],
}
Src = tuple[dict[str, int], dict[str, int]]
"""What memory has of a src, and what a pass has found for it."""


def kept(loss: int, bound: int, slot: int, full: int = 0) -> dict[str, int]:
    """An `entry` of a src; what is of no account is 1 wherever it may be."""
    rest = {"count": 5, "is_dst": 0, "joined": 1, "zero": 0}
    return {"loss": loss, "bound": bound, "slot": slot, "full": full, **rest}


def found(least: int, slot: int, second: int, met: int) -> dict[str, int]:
    """A `nearest`."""
    return {"least": least, "slot": slot, "second": second, "met": met}


def settled(src: Src, moved: bool) -> tuple[str, dict[str, int]]:
    """The branch of the rule, and the entry that follows."""
    old, new = src
    if not moved:
        branch = "all slots"
        loss, slot, bound = new["least"], new["slot"], new["second"]
    elif not new["met"]:
        pairs = sorted([(new["least"], new["slot"]), (old["loss"], old["slot"])])
        branch = "comes" if pairs[0][1] == new["slot"] else "stays"
        if pairs[0][0] == pairs[1][0]:
            branch += " on a tie"
        loss, slot = pairs[0]
        bound = min(old["bound"], new["second"], pairs[1][0])
    elif new["least"] < old["bound"]:
        branch = "just below" if new["least"] == old["bound"] - 1 else "below"
        loss, slot, bound = new["least"], new["slot"], min(new["second"], old["bound"])
    else:
        branch = "equal" if new["least"] == old["bound"] else "above"
        return branch, {"full": 1, "slot": old["slot"], "is_dst": 0, "count": 0, "zero": 0}
    if moved and bound == old["bound"]:
        branch += ", bound stays"
    joined = int(slot != old["slot"])
    return branch, {"loss": loss, "bound": bound, "slot": slot, "count": 0, "is_dst": 0,
                    "full": 0, "joined": joined, "zero": 0}  # fmt: skip


class Rig:
    """A `Settle` with the neighbours that tell it of src and take its words."""

    def __init__(self, dut: Any, *, stall: float = 0.0, seed: int = 0):
        self.config = EngineConfig(**parameters())
        self.bench = Bench(dut)
        self.dut = dut
        self.known = Source(self.bench, "known", known_src(self.config), stall=stall, seed=seed)
        self.word = Sink(self.bench, "word", written_word(self.config), stall=stall, seed=seed)
        self.random = random.Random(f"{stall} {seed}")
        self.branches: Counter[str] = Counter()
        self.loss = 0
        self._found: list[int] = []
        self._address = 0
        Lookup(self.bench, "found", lambda index: (self._found + [0] * (index + 1))[index])
        for name in ("run__start", "clear"):
            getattr(dut, name).value = 0

    def stop(self) -> None:
        """Stop the neighbours, as on a reset."""
        self.known.stop()
        self.word.stop()

    async def clear(self) -> None:
        """A pairing begins."""
        self.dut.clear.value = 1
        await self.bench.cycles()
        self.dut.clear.value = 0
        self.loss = 0

    async def tell(self, tile: list[Src], moved: bool) -> list[int]:
        """Make the src of a tile known, in any order, and ask for them in any; their tokens."""
        tokens = self.random.sample(range(self.config.max_tokens), len(tile))
        order = list(range(len(tile)))
        self.random.shuffle(order)
        for index in order:
            self.known.put([{"index": index, "token": tokens[index], "entry": tile[index][0]}])
        await self.known.drain()
        await self.bench.cycles(2)
        for slot_of, bound_of in zip(order, reversed(order), strict=True):
            set_value(self.dut.group_slot__index, slot_of)
            set_value(self.dut.bound__index, bound_of)
            await self.bench.cycles(2)
            assert unsigned(self.dut.group_slot__entry.value) == tile[slot_of][0]["slot"]
            assert unsigned(self.dut.bound__entry.value) == tile[bound_of][0]["bound"]
        self._found = [encode(nearest(self.config), new) for _, new in tile]
        self._address = 16 * self.random.randrange((1 << self.config.address_bits - 4) >> 1)
        set_value(self.dut.entries_address, self._address)
        set_value(self.dut.count, len(tile))
        self.dut.moved.value = int(moved)
        return tokens

    async def run(self, tile: list[Src], *, moved: bool) -> int:
        """Settle a tile; compare the words and the sum of losses. The cycles from start to done."""
        tokens = await self.tell(tile, moved)
        self.word.taken.clear()
        await self.bench.start()
        cycles = await self.bench.done(200 * len(tile)) + 1
        await self.bench.cycles(Settle.loss_latency)
        words = self.word.values
        assert len(words) == len(tile)
        for src, token, word in zip(tile, tokens, words, strict=True):
            branch, wanted = settled(src, moved)
            self.branches[branch] += 1
            assert (word["address"], word["half"]) == (self._address + 16 * token, 0)
            new = decode(entry(), word["data"])
            for name, value in wanted.items():
                assert new[name] == value, f"{name} where {branch}: {src} became {new}"
            self.loss += 0 if wanted["full"] else wanted["loss"]
        assert unsigned(self.dut.loss.value) == self.loss
        return cycles

    async def run_all(self, src: list[Src], *, moved: bool) -> None:
        """Settle so many src, in tiles that are whole and tiles that are not."""
        left = list(src)
        while left:
            size = self.random.choice((1, self.config.resident_src))
            tile, left = left[:size], left[size:]
            await self.run(tile, moved=moved)


def every_case() -> list[Src]:
    """Every relation of few distances: what is kept of a src, and what was found for it."""
    few = range(3)
    return [
        (kept(loss, loss + over, old_slot), found(least, slot, least + more, met))
        for loss, over, least, more, met in product(few, few, range(5), few, (0, 1))
        for old_slot, slot in ((3, 2), (2, 3), (2, 2))
        if met or old_slot != slot
    ]


BRANCHES = {
    "comes", "comes on a tie", "stays", "stays, bound stays", "stays on a tie",
    "comes, bound stays", "comes on a tie, bound stays", "stays on a tie, bound stays",
    "just below", "just below, bound stays", "below", "below, bound stays", "equal", "above",
}  # fmt: skip


@cocotb.test()
async def every_branch(dut: object) -> None:
    """All relations of few distances, after a pass over the moved slots and one over all."""
    rig = Rig(dut, stall=0.3)
    await rig.bench.reset()
    cases = every_case()
    if rig.config.resident_src != 18:
        cases = rig.random.sample(cases, len(cases) // 3)
    rig.random.shuffle(cases)
    await rig.clear()
    await rig.run_all(cases, moved=True)
    assert set(rig.branches) == BRANCHES
    await rig.run_all(cases[:100], moved=False)
    await rig.clear()
    await rig.run_all(cases[100:120], moved=False)


@cocotb.test()
async def widest(dut: object) -> None:
    """The largest numbers, of which the sum is the largest too; no slot yet; no second slot."""
    rig = Rig(dut)
    await rig.bench.reset()
    await rig.clear()
    config = rig.config
    farthest = (1 << config.distance_bits) - 1
    slot = config.max_dst - 1
    first = [(kept(farthest, farthest, NO_SLOT, 1), found(farthest - 1, slot, farthest, 0))]
    await rig.run_all(first * min(100, config.max_tokens), moved=False)
    later = [
        (kept(farthest - 1, farthest, slot), found(farthest - 1, 0, farthest, 0)),
        (kept(farthest - 1, farthest - 1, 0), found(farthest - 2, slot, farthest, 1)),
        (kept(0, 0, slot), found(0, 0, 0, 0)),
    ]
    await rig.run_all(later * 5, moved=True)


@cocotb.test()
async def exact_where_it_is_settled(dut: object) -> None:
    """Whatever moved: who is settled has its nearest slot, the lowest of a tie, and a bound."""
    rig = Rig(dut)
    await rig.bench.reset()
    await rig.clear()
    pick, slots = rig.random, range(5)
    for _ in range(400 // rig.config.resident_src + 4):
        moved = sorted(pick.sample(slots, pick.randint(1, 5)))
        tile, after = [], []
        for _ in range(rig.config.resident_src):
            before = [pick.randrange(4) for _ in slots]
            loss, slot = min(zip(before, slots, strict=True))
            others = min(before[other] for other in slots if other != slot)
            now = [pick.randrange(4) if each in moved else before[each] for each in slots]
            ranked = sorted((now[each], each) for each in moved)
            second = ranked[1][0] if len(ranked) > 1 else (1 << rig.config.distance_bits) - 1
            bound = pick.choice([others, max(loss, others - 1)])
            tile.append((kept(loss, bound, slot), found(*ranked[0], second, int(slot in moved))))
            after.append(now)
        await rig.run(tile, moved=True)
        for now, (old, _), word in zip(after, tile, rig.word.values, strict=True):
            new = decode(entry(), word["data"])
            if new["full"]:
                assert new["slot"] == old["slot"]
                continue
            assert (new["loss"], new["slot"]) == min(zip(now, slots, strict=True))
            assert all(new["bound"] <= now[slot] for slot in slots if slot != new["slot"])
    assert set(rig.branches) >= {"comes", "stays", "below", "above"}


@cocotb.test()
async def cycles_of_a_tile(dut: object) -> None:
    """`src_cycles` for each src where words are taken at once; more only where they are not."""
    for stall in (0.0, 0.6):
        rig = Rig(dut, stall=stall, seed=2)
        await rig.bench.reset()
        await rig.clear()
        for count in {1, rig.config.resident_src // 2, rig.config.resident_src} - {0}:
            tile = rig.random.sample(every_case(), count)
            cycles = await rig.run(tile, moved=True)
            taken = [cycle for cycle, _ in rig.word.taken]
            if stall:
                assert cycles >= Settle.src_cycles * count
            else:
                assert cycles == Settle.src_cycles * count
                step = Settle.src_cycles
                assert taken == list(range(taken[0], taken[0] + step * count, step))
        rig.stop()


@cocotb.test()
async def reset_in_mid_run(dut: object) -> None:
    """After a reset no word is left of the run before, and nothing is summed."""
    for cycles in range(1, 9):
        rig = Rig(dut, seed=cycles)
        await rig.bench.reset()
        cases = rig.random.sample(every_case(), rig.config.resident_src)
        await rig.tell(cases, moved=True)
        await rig.bench.start()
        await rig.bench.cycles(cycles)
        rig.stop()
        await rig.bench.reset()
        rig = Rig(dut, seed=cycles)
        await rig.run(cases, moved=True)
        rig.stop()


@pytest.mark.parametrize("name", CONFIGS)
def test_settle(name: str) -> None:
    config = CONFIGS[name]
    simulate(Settle(config), __name__, f"settle_{name}", given=config.as_dict())
