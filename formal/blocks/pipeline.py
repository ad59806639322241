"""Pipelines: delays and sums."""

from typing import Any

from amaranth.hdl import Assert, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from formal.proof import Proof
from formal.windows import ago, no_reset
from hw.blocks.pipeline import delay, tree_sum

_CYCLES, _TERMS, _BITS = 3, 5, 3


class _Delayed(wiring.Component):
    """A value that changes in any cycle."""

    def __init__(self, unit: Any):
        self._unit = unit
        super().__init__({"value": In(_BITS), "reached": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        no_reset(m)
        delayed = self._unit(m, self.value, _CYCLES, "delayed")
        m.d.comb += [
            Assert(delayed == ago(m, self.value, _CYCLES)),
            self.reached.eq(delayed.all()),
        ]
        return m


class _Summed(wiring.Component):
    """Terms of which the number is no power of two."""

    def __init__(self, unit: Any):
        self._unit = unit
        super().__init__({"terms": In(_BITS).array(_TERMS), "reached": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        terms = [self.terms[number] for number in range(_TERMS)]
        total = self._unit(list(terms))
        one_by_one = terms[0] + 0
        for term in terms[1:]:
            one_by_one += term
        m.d.comb += [
            Assert(total == one_by_one),
            self.reached.eq(total == _TERMS * ((1 << _BITS) - 1)),
        ]
        return m


DELAY = Proof(
    delay,
    f"what a value was {_CYCLES} cycles before",
    _Delayed,
    (("range(cycles)", "range(cycles - 1)"), ("following.eq(value)", "following.eq(value ^ 1)")),
    ("a value arrives",),
    window=_CYCLES,
)
TREE_SUM = Proof(
    tree_sum,
    f"the sum of {_TERMS} terms, without an overflow",
    _Summed,
    (
        ("terms[i : i + 2]", "terms[i : i + 1]"),
        ("range(0, len(terms), 2)", "range(0, len(terms) - 1, 2)"),
    ),
    ("all terms are the largest",),
)
