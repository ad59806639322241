"""The dst table against a plain list and set: tokens, marks, and their cycles."""

import random

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from hw.config import PRESETS, EngineConfig
from hw.refine.dst_table import DstTable
from hw.words import assignment
from tb.runner import parameters, simulate
from tb.streams import Bench, Source, Watch

CONFIGS = {
    "tiny": PRESETS["tiny"],
    "demo": PRESETS["demo"],
    "one-slot": EngineConfig(
        max_tokens=2, max_channels=16, max_dst=1, dst_lanes=1, src_lanes=1, channel_lanes=2,
        bus_bytes=8, quantize_lanes=1, sorter_width=2, burst_beats=1, fifo_beats=4,
    ),
}  # fmt: skip


class Rig:
    """Drives the table as the stages do, and keeps the list that it should hold."""

    def __init__(self, bench: Bench, *, stall: float = 0.0):
        self.config = EngineConfig(**parameters())
        self.bench = bench
        self.dut = bench.dut
        self.source = Source(bench, "assign", assignment(self.config), stall=stall, seed=6)
        self.cleared = Watch(bench, "clear")
        self.dut.clear.value = 0
        self.dst: list[int] = []

    def assign(self, slot: int, token: int, old: int | None = None) -> None:
        """Queue an assignment; ``old`` is the token that it replaces."""
        # Where nothing is replaced, old is rubbish that must not count.
        rubbish = (token + 1) % self.config.max_tokens
        value = {
            "slot": slot,
            "token": token,
            "old": rubbish if old is None else old,
            "replaces": old is not None,
        }
        self.source.put([value])
        self.dst[slot : slot + 1] = [token]

    async def clear(self, tokens: int) -> None:
        """Pulse clear."""
        self.dut.clear.value, self.dut.tokens.value = 1, tokens
        await RisingEdge(self.dut.clk)
        self.dut.clear.value = 0
        self.dst = []

    async def answers(self, lookup: str, count: int) -> list[int]:
        """Ask for 0 to count - 1, one a cycle; each answer is there a cycle later."""
        got = []
        for index in range(count + 2):
            if index < count:
                getattr(self.dut, f"{lookup}__index").value = index
            await RisingEdge(self.dut.clk)
            if index >= 1:
                got.append(int(getattr(self.dut, f"{lookup}__entry").value))
        return got[:count]

    async def check(self, tokens: int) -> None:
        """Compare the whole table once every assignment has been taken."""
        await self.source.drain()
        assert await self.answers("dst", len(self.dst)) == self.dst
        marks = [int(token in self.dst) for token in range(tokens)]
        assert await self.answers("is_dst", tokens) == marks

    async def run(self, pick: random.Random, tokens: int, num_dst: int, moves: int) -> None:
        """Fill the list, check, move random slots to random src, check."""
        await self.clear(tokens)
        for slot, token in enumerate(pick.sample(range(tokens), num_dst)):
            self.assign(slot, token)
        await self.check(tokens)
        for _ in range(moves):
            slot = pick.randrange(num_dst)
            free = [token for token in range(tokens) if token not in self.dst]
            self.assign(slot, pick.choice(free), self.dst[slot])
        await self.check(tokens)


@cocotb.test()
async def lists(dut: object) -> None:
    """Jobs of every size, one after another: no mark of the one before is left."""
    rig, pick = Rig(Bench(dut)), random.Random(1)
    await rig.bench.reset()
    most, slots = rig.config.max_tokens, rig.config.max_dst
    sizes = [(most, slots), (slots + 1, slots), (most, 1), (2, 1)]
    for tokens, num_dst in sizes:
        await rig.run(pick, tokens, num_dst, moves=12)


@cocotb.test()
async def lists_with_gaps(dut: object) -> None:
    """Assignments that come at random times."""
    rig, pick = Rig(Bench(dut), stall=0.5), random.Random(2)
    await rig.bench.reset()
    for _ in range(4):
        tokens = pick.randint(2, rig.config.max_tokens)
        await rig.run(pick, tokens, pick.randint(1, min(tokens - 1, rig.config.max_dst)), moves=20)


@cocotb.test()
async def cycles_of_clear_and_assign(dut: object) -> None:
    """Clearing takes a cycle a token; a new assignment takes one, one that replaces two."""
    rig = Rig(Bench(dut))
    await rig.bench.reset()
    tokens = rig.config.max_tokens
    await rig.clear(tokens)
    count = min(3, rig.config.max_dst)
    for slot in range(count):
        rig.assign(slot, slot)
    rig.assign(0, tokens - 1, 0)
    rig.assign(0, 0, tokens - 1)
    for _ in range(tokens):
        await RisingEdge(rig.dut.clk)
        assert rig.dut.clearing.value == 1
    await RisingEdge(rig.dut.clk)
    assert rig.dut.clearing.value == 0
    await rig.source.drain()
    first = rig.cleared.cycles[-1] + tokens + 1
    expected = [first + slot for slot in range(count)]
    expected += [first + count + 1, first + count + 3]
    assert [cycle for cycle, _ in rig.source.sent] == expected


@cocotb.test()
async def held_from_the_next_cycle(dut: object) -> None:
    """A slot asked in the cycle after its assignment was taken answers with the new token."""
    rig = Rig(Bench(dut))
    await rig.bench.reset()
    await rig.clear(rig.config.max_tokens)
    rig.assign(0, 0)
    await rig.check(2)
    rig.dut.dst__index.value = rig.dut.is_dst__index.value = 0
    rig.assign(0, 1, 0)
    await rig.source.drain()
    # The table is asked in the cycle after the transfer, and answers in the next.
    await RisingEdge(rig.dut.clk)
    await RisingEdge(rig.dut.clk)
    assert (int(rig.dut.dst__entry.value), int(rig.dut.is_dst__entry.value)) == (1, 0)


@cocotb.test()
async def reset_within_a_clear_or_a_replacement(dut: object) -> None:
    """After a reset at any time, a cleared table is right."""
    bench, pick = Bench(dut), random.Random(4)
    for cycles in range(1, 7):
        rig = Rig(bench)
        await rig.bench.reset()
        tokens = rig.config.max_tokens
        await rig.clear(2)
        rig.assign(0, 0)
        rig.assign(0, 1, 0)
        await rig.bench.cycles(cycles)
        rig.source.stop()
        await rig.bench.reset()
        again = Rig(bench)
        await again.clear(tokens)
        await again.bench.reset(1)
        await again.run(pick, tokens, min(5, rig.config.max_dst), moves=5)
        again.source.stop()


@pytest.mark.parametrize("name", CONFIGS)
def test_dst_table(name: str) -> None:
    config = CONFIGS[name]
    simulate(
        DstTable(config), __name__, f"dst_table_{name.replace('-', '_')}", given=config.as_dict()
    )
