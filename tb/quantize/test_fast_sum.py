"""The fast sum against Python's, with carries of every length."""

import random

import cocotb
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.quantize.fast_sum import fast_sum
from tb.runner import parameters, simulate
from tb.streams import Bench, set_value

WIDTHS = (1, 2, 5, 16, 45)


class Sum(wiring.Component):
    """The function between ports, its result a cycle later."""

    def __init__(self, width: int):
        ports = {"augend": In(width), "addend": In(width), "carry": In(1), "total": Out(width)}
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.total.eq(fast_sum(m, self.augend, self.addend, self.carry, "total"))
        return m


@cocotb.test()
async def sums(dut: object) -> None:
    """Random terms, and those whose carry runs from any bit to any other."""
    width = parameters()["width"]
    bench = Bench(dut)
    await bench.reset()
    rng = random.Random(width)
    most = (1 << width) - 1
    pairs = [(rng.getrandbits(width), rng.getrandbits(width)) for _ in range(300)]
    for start in range(width):
        for end in range(start, width):
            # From the bit where both are 1, over bits where one is.
            run = (1 << end + 1) - (1 << start)
            ones = rng.getrandbits(width) & run
            pairs.append((ones | 1 << start, (run ^ ones) | 1 << start))
    pairs += [(most, 0), (0, most), (most, most), (0, 0)]
    for augend, addend in pairs:
        for carry in (0, 1):
            for name, value in (("augend", augend), ("addend", addend), ("carry", carry)):
                set_value(getattr(dut, name), value)
            await bench.cycles(2)
            assert int(dut.total.value) == (augend + addend + carry) & most  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", WIDTHS)
def test_fast_sum(width: int) -> None:
    simulate(Sum(width), __name__, f"fast_sum_{width}", given={"width": width})
