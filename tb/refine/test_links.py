"""The links against plain Python lists: heads, counts, whole chains, and their cycles."""

import random

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from hw.config import PRESETS, EngineConfig
from hw.refine.links import Links, group
from hw.words import link
from tb.layouts import decode
from tb.runner import parameters, simulate
from tb.streams import Bench, Source, Watch

CONFIGS = {
    "tiny": PRESETS["tiny"],
    "demo": PRESETS["demo"],
    "one-slot": EngineConfig(
        max_tokens=5, max_channels=16, max_dst=1, dst_lanes=1, src_lanes=1, channel_lanes=2,
        bus_bytes=8, quantize_lanes=1, sorter_width=2, burst_beats=1, fifo_beats=4,
    ),
}  # fmt: skip


class Model:
    """The lists in Python, pushed to in the same order."""

    def __init__(self, num_dst: int):
        self.lists: list[list[int]] = [[] for _ in range(num_dst)]

    def pushes(self, pick: random.Random, src: list[int]) -> list[tuple[int, int]]:
        """A slot for each src, some slots taken by many: (slot, src)."""
        busy = pick.randrange(len(self.lists))
        pairs = []
        for token in src:
            slot = busy if pick.random() < 0.3 else pick.randrange(len(self.lists))
            self.lists[slot].insert(0, token)
            pairs.append((slot, token))
        return pairs


class Rig:
    """Drives the links as the stages do."""

    def __init__(self, bench: Bench, *, stall: float = 0.0):
        self.config = EngineConfig(**parameters())
        self.bench = bench
        self.dut = bench.dut
        self.source = Source(bench, "push", link(self.config), stall=stall, seed=6)
        self.cleared = Watch(bench, "clear")
        self.dut.clear.value = 0

    def put(self, pairs: list[tuple[int, int]]) -> None:
        """Queue pushes of (slot, src)."""
        self.source.put({"slot": slot, "src": src} for slot, src in pairs)

    async def clear(self, num_dst: int) -> None:
        """Pulse clear."""
        self.dut.clear.value, self.dut.num_dst.value = 1, num_dst
        await RisingEdge(self.dut.clk)
        self.dut.clear.value = 0

    async def answer(self, lookup: str, index: int) -> int:
        """Ask for one cycle; the entry that a cycle later is there."""
        port = getattr(self.dut, f"{lookup}__index")
        port.value = index
        await RisingEdge(self.dut.clk)
        port.value = 0
        await RisingEdge(self.dut.clk)
        return int(getattr(self.dut, f"{lookup}__entry").value.to_unsigned())

    async def walk(self, slot: int) -> list[int]:
        """The list of a slot, by its head and its links."""
        found = decode(group(self.config), await self.answer("group", slot))
        chain = [found["head"]] if found["count"] else []
        while len(chain) < found["count"]:
            chain.append(await self.answer("next", chain[-1]))
        return chain

    async def check(self, pick: random.Random, num_dst: int, num_src: int) -> None:
        """Clear, push and walk; compare every list."""
        model = Model(num_dst)
        src = sorted(pick.sample(range(self.config.max_tokens), num_src))
        await self.clear(num_dst)
        self.put(model.pushes(pick, src))
        await self.source.drain()
        for slot, expected in enumerate(model.lists):
            assert await self.walk(slot) == expected, slot


@cocotb.test()
async def lists(dut: object) -> None:
    """Jobs of every size, one after another: nothing of the one before is left."""
    rig, pick = Rig(Bench(dut)), random.Random(1)
    await rig.bench.reset()
    most, slots = rig.config.max_tokens, rig.config.max_dst
    for num_dst, num_src in [(slots, most - slots), (1, most - 1), (slots, 1), (1, 1)]:
        await rig.check(pick, num_dst, num_src)


@cocotb.test()
async def lists_with_gaps(dut: object) -> None:
    """Pushes that come at random times."""
    rig, pick = Rig(Bench(dut), stall=0.5), random.Random(2)
    await rig.bench.reset()
    most, slots = rig.config.max_tokens, rig.config.max_dst
    for _ in range(3):
        num_dst = pick.randint(1, slots)
        await rig.check(pick, num_dst, pick.randint(1, most - num_dst))


@cocotb.test()
async def cycles_of_clear_and_push(dut: object) -> None:
    """Clearing takes a cycle a slot and holds pushes off; a push takes two."""
    rig = Rig(Bench(dut))
    await rig.bench.reset()
    for num_dst in {1, rig.config.max_dst // 2 + 1, rig.config.max_dst}:
        sent = len(rig.source.sent)
        await rig.clear(num_dst)
        rig.put([(src % num_dst, src) for src in range(4)])
        for _ in range(num_dst):
            await RisingEdge(rig.dut.clk)
            assert rig.dut.clearing.value == 1
        await RisingEdge(rig.dut.clk)
        assert rig.dut.clearing.value == 0
        await rig.source.drain()
        pushed = [cycle for cycle, _ in rig.source.sent[sent:]]
        assert pushed == [rig.cleared.cycles[-1] + num_dst + 2 * (n + 1) for n in range(4)]


@cocotb.test()
async def slots_beyond_are_kept(dut: object) -> None:
    """Clearing n slots leaves the lists of the others alone."""
    rig, pick = Rig(Bench(dut)), random.Random(3)
    await rig.bench.reset()
    slots = rig.config.max_dst
    model = Model(slots)
    await rig.clear(slots)
    rig.put(model.pushes(pick, list(range(rig.config.max_tokens - slots))))
    await rig.source.drain()
    few = (slots + 1) // 2
    await rig.clear(few)
    await rig.bench.cycles(few + 1)
    for slot in range(slots):
        assert await rig.walk(slot) == ([] if slot < few else model.lists[slot])


@cocotb.test()
async def reset_within_a_push_or_a_clear(dut: object) -> None:
    """After a reset at any time, a cleared set of lists is right."""
    bench, pick = Bench(dut), random.Random(4)
    for cycles in range(1, 6):
        rig = Rig(bench)
        await rig.bench.reset()
        await rig.clear(1)
        rig.put([(0, src) for src in range(4)])
        await rig.bench.cycles(cycles)
        rig.source.stop()
        await rig.bench.reset()
        again = Rig(bench)
        await again.clear(rig.config.max_dst)
        await again.bench.reset(1)
        await again.check(pick, rig.config.max_dst, rig.config.max_tokens - rig.config.max_dst)
        again.source.stop()


@pytest.mark.parametrize("name", CONFIGS)
def test_links(name: str) -> None:
    config = CONFIGS[name]
    simulate(Links(config), __name__, f"links_{name.replace('-', '_')}", given=config.as_dict())
