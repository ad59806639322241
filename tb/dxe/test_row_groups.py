"""Row groups: two users each way, in groups of their own, at the same time."""

from typing import Any

import cocotb
import numpy as np
from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.config import VALUE_BITS
from hw.dxe.row_groups import RowGroups
from tb.dxe.lanes import joined, split
from tb.runner import simulate
from tb.streams import Bench, set_value

GROUPS, BANKS, ROWS, CYCLES = 4, 3, 8, 1500
SKEWS = (1, 0)
"""Of each reader, and of each writer."""


class Joined(wiring.Component):
    """The memory with a port for all elements, and one for all values, of each user."""

    def __init__(self) -> None:
        self._groups = RowGroups(GROUPS, BANKS, ROWS, VALUE_BITS, readers=SKEWS, writers=SKEWS)
        address = In((GROUPS * ROWS - 1).bit_length())
        super().__init__(
            {
                f"{name}_{user}": port
                for user in range(len(SKEWS))
                for name, port in {
                    "read": In(1), "read_address": address, "elements": Out(BANKS * VALUE_BITS),
                    "write": In(1), "write_address": address, "values": In(BANKS * VALUE_BITS),
                }.items()
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.groups = groups = self._groups
        for number, (reads, writes) in enumerate(zip(groups.reads, groups.writes, strict=True)):
            m.d.comb += [
                reads.read.eq(getattr(self, f"read_{number}")),
                reads.address.eq(getattr(self, f"read_address_{number}")),
                writes.write.eq(getattr(self, f"write_{number}")),
                writes.address.eq(getattr(self, f"write_address_{number}")),
            ]
            m.d.comb += [
                Cat(writes.values).eq(getattr(self, f"values_{number}")),
                getattr(self, f"elements_{number}").eq(Cat(reads.elements)),
            ]
        return m


def turns(draw: np.random.Generator, skew: int, of_user: dict[int, list[int]]) -> Any:
    """Addresses by cycle, -1 where nothing is asked: some rows of a group, then of another.

    ``of_user`` lists by window of 40 cycles which groups the user may ask.
    """
    found = np.full(CYCLES, -1)
    for start in range(0, CYCLES, 40):
        group = int(draw.choice(of_user[start // 40]))
        length = 40 - BANKS * skew - 2
        rows = draw.integers(-2, ROWS, length)
        place = slice(start, min(start + length, CYCLES))
        found[place] = np.where(rows < 0, -1, group * ROWS + rows)[: place.stop - place.start]
    return found


@cocotb.test()
async def each_in_its_group(dut: Any) -> None:
    """Both readers and both writers are busy in most cycles; no two of a kind in one group."""
    draw = np.random.default_rng(4)
    pairs = [draw.permutation(GROUPS)[:4].tolist() for _ in range(CYCLES // 40 + 1)]
    shares = [{w: [pair[2 * user], pair[2 * user + 1]] for w, pair in enumerate(pairs)}
              for user in range(2)]  # fmt: skip
    reads = [turns(draw, skew, share) for skew, share in zip(SKEWS, shares, strict=True)]
    writes = [turns(draw, skew, share) for skew, share in zip(SKEWS, shares[::-1], strict=True)]
    values = draw.integers(0, 1 << VALUE_BITS, (2, CYCLES, BANKS))
    held, known = np.zeros((BANKS, GROUPS * ROWS), np.int64), np.zeros((BANKS, GROUPS * ROWS), bool)
    given, sure = np.zeros((2, BANKS), np.int64), np.zeros((2, BANKS), bool)
    bench = Bench(dut)
    for user in range(2):
        getattr(dut, f"read_{user}").value = getattr(dut, f"write_{user}").value = 0
    await bench.reset()
    await bench.cycles(BANKS)
    seen = 0
    for cycle in range(CYCLES):
        for user in range(2):
            for kind, rows in (("read", reads[user]), ("write", writes[user])):
                getattr(dut, f"{kind}_{user}").value = int(rows[cycle] >= 0)
                getattr(dut, f"{kind}_address_{user}").value = max(int(rows[cycle]), 0)
            set_value(getattr(dut, f"values_{user}"), joined(values[user, cycle], VALUE_BITS))
        await bench.cycles()
        for user, skew in enumerate(SKEWS):
            # What a user does not ask for may be of any group.
            found = split(getattr(dut, f"elements_{user}").value, BANKS, VALUE_BITS)
            for bank in range(BANKS):
                before = cycle - 1 - bank * skew
                if before >= 0 and reads[user][before] >= 0 and sure[user, bank]:
                    assert found[bank] == given[user, bank], f"cycle {cycle}, user {user}"
                    seen += 1
        for user, skew in enumerate(SKEWS):
            for bank in range(BANKS):
                place = cycle - bank * skew
                if place >= 0 and (row := reads[user][place]) >= 0:
                    given[user, bank], sure[user, bank] = held[bank, row], known[bank, row]
        for user, skew in enumerate(SKEWS):
            for bank in range(BANKS):
                place = cycle - bank * skew
                if place >= 0 and (row := writes[user][place]) >= 0:
                    held[bank, row], known[bank, row] = values[user, cycle, bank], True
    assert seen > BANKS * CYCLES


def test_row_groups() -> None:
    simulate(Joined(), __name__, "row_groups")
