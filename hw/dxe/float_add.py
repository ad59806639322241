"""Float addition: two terms to a float32, rounded to nearest even."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.dxe.shift import leading_zeros, round_up, shifted_right
from hw.dxe.term import FRACTION_BITS, INFINITE_EXPONENT, SUM_BITS, TERM

QUIET_NAN = 0x7FC0_0000
"""The one NaN that a sum can be."""
_WIDTH = FRACTION_BITS + 1
_GUARD = 3
"""Bits below a significand that keep what aligning moves out of it, as far as rounding needs it."""
_SUM_WIDTH = _WIDTH + _GUARD + 1
_ASIDE = data.StructLayout({"exponent": 8, "sign": 1, "infinite": 1, "nan": 1})
"""What goes beside a sum of significands."""


class FloatAdd(wiring.Component):
    """``one + other``, as float32 arithmetic has it.

    Subnormals, infinities and signed zeros are IEEE 754's; every NaN is `QUIET_NAN`.

    Ports: ``one``, ``other`` In `TERM`; ``total`` Out, a float32, on cycle `latency`: after
    aligning, adding, normalising and rounding. One a cycle.
    """

    latency = 4

    def __init__(self) -> None:
        super().__init__({"one": In(TERM), "other": In(TERM), "total": Out(SUM_BITS)})

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        larger, smaller = Signal(TERM), Signal(TERM)
        swap = Cat(self.other.significand, self.other.exponent) > Cat(
            self.one.significand, self.one.exponent
        )
        m.d.comb += [
            larger.eq(Mux(swap, self.other.as_value(), self.one.as_value())),
            smaller.eq(Mux(swap, self.one.as_value(), self.other.as_value())),
        ]
        distance = Signal(len(larger.exponent))
        m.d.comb += distance.eq(larger.exponent - smaller.exponent)
        upper, lower = Signal(_WIDTH), Signal(_WIDTH + _GUARD)
        subtract, aligned = Signal(), Signal(_ASIDE)
        opposed = larger.sign ^ smaller.sign
        infinite = larger.exponent == INFINITE_EXPONENT
        m.d.sync += [
            upper.eq(larger.significand),
            lower.eq(
                shifted_right(m, Cat(Const(0, _GUARD), smaller.significand), distance, "aligned")
            ),
            subtract.eq(opposed),
            aligned.exponent.eq(larger.exponent),
            aligned.sign.eq(larger.sign),
            aligned.infinite.eq(infinite),
            aligned.nan.eq(
                larger.nan
                | smaller.nan
                | (infinite & opposed & (smaller.exponent == INFINITE_EXPONENT))
            ),
        ]

        whole, added, beside = Cat(Const(0, _GUARD), upper), Signal(_SUM_WIDTH), Signal(_ASIDE)
        subtracted = Signal()
        m.d.sync += [
            added.eq(Mux(subtract, whole - lower, whole + lower)),
            beside.eq(aligned),
            subtracted.eq(subtract),
        ]

        # The exponent is that of a leading one at the uppermost bit; it is not below 1.
        zeros = leading_zeros(m, added, "added")
        above = beside.exponent + 1
        move = Mux(zeros > beside.exponent, beside.exponent, zeros)
        normal, exponent, ready = Signal(_SUM_WIDTH), Signal(len(above)), Signal(_ASIDE)
        m.d.sync += [
            normal.eq(added << move),
            exponent.eq(above - move),
            ready.eq(beside),
            # What is nothing but for equal signs is +0.
            ready.sign.eq(beside.sign & ~(subtracted & (added == 0))),
        ]

        kept, below = normal[-_WIDTH:], normal[:-_WIDTH]
        field = Mux(kept[-1], exponent, 0)
        magnitude = Cat(kept[:-1], field)[: SUM_BITS - 1] + round_up(kept, below)
        infinity = Const(INFINITE_EXPONENT << FRACTION_BITS, SUM_BITS - 1)
        beyond = ready.infinite | (kept[-1] & (exponent >= INFINITE_EXPONENT))
        with m.If(ready.nan):
            m.d.sync += self.total.eq(QUIET_NAN)
        with m.Else():
            m.d.sync += self.total.eq(
                Cat(Mux(beyond, infinity, magnitude)[: SUM_BITS - 1], ready.sign)
            )
        return m
