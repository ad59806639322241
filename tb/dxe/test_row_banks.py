"""Row banks against an array, read and written in every cycle, each bank in its own."""

from typing import Any

import cocotb
import numpy as np
import pytest
from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.config import VALUE_BITS
from hw.dxe.row_banks import RowBanks
from tb.dxe.lanes import joined, split
from tb.runner import parameters, simulate
from tb.streams import Bench, set_value

BANKS, ROWS, CYCLES = 5, 12, 2000
USERS = {"array": ([4], [0]), "shared": ([1, 0], [0, 1])}
"""The skews of readers and of writers."""


class Joined(wiring.Component):
    """The memory with a port for all elements, and one for all values."""

    def __init__(self, readers: list[int], writers: list[int]):
        self._banks = RowBanks(BANKS, ROWS, VALUE_BITS, readers=readers, writers=writers)
        address = In((ROWS - 1).bit_length())
        super().__init__(
            {
                **{f"read_{user}": In(1) for user in range(len(readers))},
                **{f"write_{user}": In(1) for user in range(len(writers))},
                "read_address": address,
                "elements": Out(BANKS * VALUE_BITS),
                "write_address": address,
                "values": In(BANKS * VALUE_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.banks = banks = self._banks
        for kind, users in (("read", banks.reads), ("write", banks.writes)):
            for number, user in enumerate(users):
                m.d.comb += [
                    getattr(user, kind).eq(getattr(self, f"{kind}_{number}")),
                    user.address.eq(getattr(self, f"{kind}_address")),
                ]
        m.d.comb += [Cat(user.values).eq(self.values) for user in banks.writes]
        # All readers see the same.
        m.d.comb += self.elements.eq(Cat(banks.reads[0].elements))
        return m


class Requests:
    """Rows that users ask for or write, -1 where none, by user and cycle; by turns of a bank."""

    def __init__(self, skews: list[int], draw: np.random.Generator):
        self.skews = skews
        self.rows = np.full((len(skews), CYCLES), -1)
        start = 0
        while start < CYCLES:
            user = int(draw.integers(len(skews)))
            turn = slice(start, min(start + int(draw.integers(1, 60)), CYCLES))
            self.rows[user, turn] = draw.integers(-2, ROWS, turn.stop - turn.start)
            start = turn.stop + (BANKS * max(skews) if len(skews) > 1 else 0)

    def at(self, cycle: int, bank: int) -> int:
        """The row that a bank is asked for in a cycle."""
        found = [
            int(self.rows[user, cycle - bank * skew])
            for user, skew in enumerate(self.skews)
            if cycle >= bank * skew
        ]
        return max(found, default=-1)


@cocotb.test()
async def every_cycle(dut: Any) -> None:
    """Rows at random, both ways, in most cycles."""
    draw = np.random.default_rng(3)
    reads, writes = (Requests(skews, draw) for skews in parameters()["users"])
    values = draw.integers(0, 1 << VALUE_BITS, (CYCLES, BANKS))
    held, known = np.zeros((BANKS, ROWS), np.int64), np.zeros((BANKS, ROWS), bool)
    given, sure = np.zeros(BANKS, np.int64), np.zeros(BANKS, bool)
    kinds = (("read", reads), ("write", writes))
    bench = Bench(dut)
    for kind, requests in kinds:
        for user in range(len(requests.skews)):
            getattr(dut, f"{kind}_{user}").value = 0
    await bench.reset()
    await bench.cycles(BANKS * max(*reads.skews, *writes.skews))
    seen = 0
    for cycle in range(CYCLES):
        for kind, requests in kinds:
            rows = requests.rows[:, cycle]
            for user, row in enumerate(rows):
                getattr(dut, f"{kind}_{user}").value = int(row >= 0)
            getattr(dut, f"{kind}_address").value = max(int(rows.max()), 0)
        set_value(dut.values, joined(values[cycle], VALUE_BITS))
        await bench.cycles()
        found = split(dut.elements.value, BANKS, VALUE_BITS)
        assert (found == given)[sure].all(), f"cycle {cycle}"
        seen += int(sure.sum())
        for bank in range(BANKS):
            if (row := reads.at(cycle, bank)) >= 0:
                given[bank], sure[bank] = held[bank, row], known[bank, row]
            if (row := writes.at(cycle, bank)) >= 0:
                held[bank, row], known[bank, row] = values[cycle, bank], True
    assert seen > BANKS * CYCLES / 2


@pytest.mark.parametrize("name", ["shared", pytest.param("array", marks=pytest.mark.slow)])
def test_row_banks(name: str) -> None:
    readers, writers = USERS[name]
    simulate(
        Joined(readers, writers), __name__, f"row_banks_{name}",
        given={"users": [readers, writers]},
    )  # fmt: skip
