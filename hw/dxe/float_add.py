"""Float addition: two float32 to a third, rounded to nearest even."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.dxe.floats import FP32
from hw.dxe.shift import leading_zeros, round_up, shifted_right

_WIDTH = FP32.significand_bits
_GUARD = 3
"""Bits below a significand that keep what aligning moves out of it, as far as rounding needs it."""
_SUM_WIDTH = _WIDTH + _GUARD + 1
_TERM = data.StructLayout({"significand": _WIDTH, "exponent": FP32.exponent_bits})
"""significand * 2^(exponent - 150) of what is finite; the exponent of subnormals and 0 is 1."""
_ASIDE = data.StructLayout({"exponent": FP32.exponent_bits, "sign": 1, "infinite": 1, "nan": 1})
"""What goes beside a sum of significands."""


def _term(m: Module, value: Value, name: str) -> Signal:
    """A float32 taken so far apart that it need only be aligned."""
    term = Signal(_TERM, name=name)
    fraction, exponent = value[: _WIDTH - 1], value[_WIDTH - 1 : -1]
    m.d.comb += [
        term.significand.eq(Cat(fraction, exponent.any())),
        term.exponent.eq(Cat(exponent[0] | ~exponent.any(), exponent[1:])),
    ]
    return term


class FloatAdd(wiring.Component):
    """``one + other``, as float32 arithmetic has it.

    Subnormals, infinities and signed zeros are IEEE 754's; every NaN is `FP32.nan`.

    Ports: ``one``, ``other`` In, ``total`` Out, a float32, on cycle `latency`: after
    aligning, adding, normalising and rounding. One a cycle.
    """

    latency = 4

    def __init__(self) -> None:
        super().__init__({"one": In(FP32.bits), "other": In(FP32.bits), "total": Out(FP32.bits)})

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        one, other = _term(m, self.one, "one"), _term(m, self.other, "other")
        larger, smaller = Signal(_TERM), Signal(_TERM)
        swap = self.other[:-1] > self.one[:-1]
        m.d.comb += [
            larger.eq(Mux(swap, other.as_value(), one.as_value())),
            smaller.eq(Mux(swap, one.as_value(), other.as_value())),
        ]
        distance = Signal(len(larger.exponent))
        m.d.comb += distance.eq(larger.exponent - smaller.exponent)
        upper, lower = Signal(_WIDTH), Signal(_WIDTH + _GUARD)
        subtract, aligned = Signal(), Signal(_ASIDE)
        opposed = self.one[-1] ^ self.other[-1]
        infinite = larger.exponent.all()
        nan = infinite & larger.significand[:-1].any()
        m.d.sync += [
            upper.eq(larger.significand),
            lower.eq(
                shifted_right(m, Cat(Const(0, _GUARD), smaller.significand), distance, "aligned")
            ),
            subtract.eq(opposed),
            aligned.exponent.eq(larger.exponent),
            aligned.sign.eq(Mux(swap, self.other[-1], self.one[-1])),
            aligned.infinite.eq(infinite),
            # The larger of infinities and NaN is a NaN.
            aligned.nan.eq(nan | (infinite & opposed & smaller.exponent.all())),
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
        magnitude = Cat(kept[:-1], field)[: FP32.bits - 1] + round_up(kept, below)
        infinity = Const(FP32.infinity, FP32.bits - 1)
        beyond = ready.infinite | (kept[-1] & (exponent > 2 * FP32.bias))
        with m.If(ready.nan):
            m.d.sync += self.total.eq(FP32.nan)
        with m.Else():
            m.d.sync += self.total.eq(
                Cat(Mux(beyond, infinity, magnitude)[: FP32.bits - 1], ready.sign)
            )
        return m
