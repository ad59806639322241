"""Row banks against an array, read and written in every cycle, each bank in its own."""

from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.config import VALUE_BITS
from hw.dxe.row_banks import RowBanks
from tb.dxe.lanes import joined, split
from tb.runner import parameters, simulate
from tb.streams import Bench, set_value

BANKS, ROWS, CYCLES = 5, 12, 2000
SKEWS = {"to an array": (4, 0), "from an array": (0, 1)}
"""From a bank to the next, of reads and of writes."""


class Joined(wiring.Component):
    """The memory with a port for all elements, and one for all values."""

    def __init__(self, read_skew: int, write_skew: int):
        self._banks = RowBanks(BANKS, ROWS, VALUE_BITS, read_skew=read_skew, write_skew=write_skew)
        address = In((ROWS - 1).bit_length())
        super().__init__(
            {
                "read": In(1), "read_address": address, "elements": Out(BANKS * VALUE_BITS),
                "write": In(1), "write_address": address, "values": In(BANKS * VALUE_BITS),
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.banks = banks = self._banks
        for name in ("read", "read_address", "write", "write_address"):
            m.d.comb += getattr(banks, name).eq(getattr(self, name))
        for bank in range(BANKS):
            m.d.comb += [
                banks.values[bank].eq(self.values.word_select(bank, VALUE_BITS)),
                self.elements.word_select(bank, VALUE_BITS).eq(banks.elements[bank]),
            ]
        return m


@dataclass
class Model:
    """What each bank holds, and gives."""

    read_skew: int
    write_skew: int

    def __post_init__(self) -> None:
        self.held = np.zeros((BANKS, ROWS), np.int64)
        self.known = np.zeros((BANKS, ROWS), bool)
        self.given = np.zeros(BANKS, np.int64)
        self.sure = np.zeros(BANKS, bool)

    def step(self, cycle: int, asked: Any, written: Any, values: Any) -> None:
        """A cycle: rows asked for and written, -1 for none, by cycle; the banks' values."""
        for bank in range(BANKS):
            row = asked[cycle - bank * self.read_skew] if cycle >= bank * self.read_skew else -1
            if row >= 0:
                self.given[bank], self.sure[bank] = self.held[bank, row], self.known[bank, row]
            row = written[cycle - bank * self.write_skew] if cycle >= bank * self.write_skew else -1
            if row >= 0:
                self.held[bank, row], self.known[bank, row] = values[bank], True


@cocotb.test()
async def every_cycle(dut: Any) -> None:
    """Rows at random, both ways, in most cycles."""
    draw = np.random.default_rng(3)
    asked, written = draw.integers(-2, ROWS, (2, CYCLES))
    values = draw.integers(0, 1 << VALUE_BITS, (CYCLES, BANKS))
    model = Model(*parameters()["skews"])
    bench = Bench(dut)
    dut.read.value = dut.write.value = 0
    await bench.reset()
    await bench.cycles(BANKS * max(model.read_skew, model.write_skew))
    seen = 0
    for cycle in range(CYCLES):
        for name, row in (("read", asked[cycle]), ("write", written[cycle])):
            getattr(dut, name).value = int(row >= 0)
            getattr(dut, f"{name}_address").value = int(max(row, 0))
        set_value(dut.values, joined(values[cycle], VALUE_BITS))
        await bench.cycles()
        found = split(dut.elements.value, BANKS, VALUE_BITS)
        assert (found == model.given)[model.sure].all(), f"cycle {cycle}"
        seen += int(model.sure.sum())
        model.step(cycle, asked, written, values[cycle])
    assert seen > BANKS * CYCLES / 2


@pytest.mark.parametrize("name", SKEWS)
def test_row_banks(name: str) -> None:
    simulate(
        Joined(*SKEWS[name]), __name__, f"row_banks_{name.replace(' ', '_')}",
        given={"skews": SKEWS[name]},
    )  # fmt: skip
