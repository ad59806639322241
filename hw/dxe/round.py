"""Rounding: a significand of any width to a float, to nearest even."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.dxe.floats import FloatFormat, Kind
from hw.dxe.shift import round_up, shifted_right

EXPONENT_BITS = 11
"""Bits of an exponent before rounding: enough for any product of float32."""


def unrounded(bits: int) -> data.StructLayout:
    """(-1)^sign * significand * 2^(exponent - bits + 1), of so many bits, the leading one 1.

    As in `FloatFormat.operand`, but for FINITE values nothing but the sign and the kind counts.
    """
    return data.StructLayout(
        {"significand": bits, "exponent": signed(EXPONENT_BITS), "sign": 1, "kind": Kind}
    )


class Round(wiring.Component):
    """Rounds to a format, subnormals and overflow included; a NaN becomes the format's one.

    Ports: ``exact`` In `unrounded`; ``value`` Out, of the format, on cycle `latency`, after a shift
    and after rounding. One a cycle.

    Args:
        form: of ``value``.
        bits: of the significand, at least two more than the format's.
    """

    latency = 2

    def __init__(self, form: FloatFormat, bits: int):
        self._form = form
        super().__init__({"exact": In(unrounded(bits)), "value": Out(form.bits)})

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        form, exact = self._form, self.exact
        kept_bits = form.significand_bits + 2
        rest = exact.significand[: 1 - kept_bits]
        kept = Cat(rest.any(), exact.significand[1 - kept_bits :])
        # Below the least normal number the exponent stays, and the significand moves down.
        least = 1 - form.bias
        below = Signal(range(kept_bits + 1))
        subnormal = exact.exponent < least
        with m.If(exact.exponent < least - kept_bits):
            m.d.comb += below.eq(kept_bits)
        with m.Elif(subnormal):
            m.d.comb += below.eq(least - exact.exponent)

        moved, biased = Signal(kept_bits), Signal(form.exponent_bits)
        sign, infinite, zero, nan = Signal(), Signal(), Signal(), Signal()
        beyond = (exact.kind == Kind.FINITE) & (exact.exponent > form.bias)
        m.d.sync += [
            moved.eq(shifted_right(m, kept, below, "moved")),
            biased.eq(Mux(subnormal, 0, exact.exponent + form.bias)),
            sign.eq(exact.sign),
            infinite.eq((exact.kind == Kind.INFINITE) | beyond),
            zero.eq(exact.kind == Kind.ZERO),
            nan.eq(exact.kind == Kind.NAN),
        ]

        # A carry out of the fraction belongs to the exponent: of the largest it makes infinity.
        significand = moved[2:]
        magnitude = Cat(significand[:-1], biased) + round_up(significand, moved[:2])
        with m.If(nan):
            m.d.sync += self.value.eq(form.nan)
        with m.Elif(infinite):
            m.d.sync += self.value.eq(Cat(Const(form.infinity, form.bits - 1), sign))
        with m.Elif(zero):
            m.d.sync += self.value.eq(Cat(Const(0, form.bits - 1), sign))
        with m.Else():
            m.d.sync += self.value.eq(Cat(magnitude[: form.bits - 1], sign))
        return m
