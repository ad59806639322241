"""Fast sum: it is the sum."""

from typing import Any

from amaranth.hdl import Assert, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from formal.proof import Proof
from hw.quantize.fast_sum import fast_sum
from hw.quantize.fixed_point import SPAN_BITS

_WIDTH = SPAN_BITS + 1


class _Properties(wiring.Component):
    """Two numbers and a carry, all free."""

    def __init__(self, unit: Any):
        self._unit = unit
        super().__init__(
            {"augend": In(_WIDTH), "addend": In(_WIDTH), "carry": In(1), "reached": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        total = self._unit(m, self.augend, self.addend, self.carry, "total")
        m.d.comb += [
            Assert(total == (self.augend + self.addend + self.carry)[:_WIDTH]),
            self.reached.eq(self.carry & total.all()),
        ]
        return m


PROOF = Proof(
    fast_sum,
    f"the sum of any two numbers of {_WIDTH} bits and a carry, its lowest {_WIDTH} bits",
    _Properties,
    (
        ("(half & carry)", "(half & 0)"),
        ("distance < width", "distance < width // 2"),
        ("passes & (carries << distance)", "carries << distance"),
        ("passes & (passes << distance)", "passes << distance"),
        ("Cat(carry, carries[:-1])", "Cat(carry & 0, carries[:-1])"),
    ),
    ("all ones with a carry",),
)
