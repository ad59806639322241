"""Product: of two floats, as float32 has it."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.pipeline import delay
from hw.dxe.floats import FP32, FloatFormat, Kind
from hw.dxe.multiply import CYCLES, in_parts
from hw.dxe.round import Round, unrounded

_WIDEST = 12
"""Bits of factors that are multiplied in one cycle."""


class Product(wiring.Component):
    """``a * b``, rounded to float32.

    Every product of two FP16 values is a normal float32, or 0, and exact: one register. Any other
    is rounded, which takes two cycles more, and to multiply float32 takes three more.

    Ports: ``a``, ``b`` In `FloatFormat.operand`; ``product`` Out, a float32, on cycle `latency`.
    One a cycle.
    """

    def __init__(self, form: FloatFormat):
        self._form = form
        super().__init__({"a": In(form.operand), "b": In(form.operand), "product": Out(FP32.bits)})

    @property
    def latency(self) -> int:
        """Cycles from factors to their product."""
        return 1 if self._exact else 1 + (CYCLES if self._wide else 0) + Round.latency

    @property
    def _wide(self) -> bool:
        return self._form.significand_bits > _WIDEST

    @property
    def _exact(self) -> bool:
        form = self._form
        least = -2 * (form.bias + form.fraction_bits)
        return least > -FP32.bias and 2 * form.bias + 1 <= FP32.bias

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        a, b = self.a, self.b
        if self._wide:
            significand = in_parts(m, a.significand, b.significand, "significand")
            a, b = delay(m, a, CYCLES, "a"), delay(m, b, CYCLES, "b")
        else:
            significand = a.significand * b.significand
        bits = max(len(significand), FP32.significand_bits + 2)
        exact = Signal(unrounded(bits))
        zero = (a.kind == Kind.ZERO) | (b.kind == Kind.ZERO)
        infinite = (a.kind == Kind.INFINITE) | (b.kind == Kind.INFINITE)
        nan = (a.kind == Kind.NAN) | (b.kind == Kind.NAN) | (zero & infinite)
        # The leading one is at the uppermost bit, or at the one below it: known late.
        high = significand[-1]
        exponent = Signal.like(exact.exponent)
        aligned = Mux(high, significand, significand << 1)[: len(significand)]
        m.d.comb += [
            exact.significand.eq(Cat(Const(0, bits - len(aligned)), aligned)),
            exponent.eq(a.exponent + b.exponent),
            exact.exponent.eq(Mux(high, exponent + 1, exponent)),
            exact.sign.eq(a.sign ^ b.sign),
        ]
        with m.If(nan):
            m.d.comb += exact.kind.eq(Kind.NAN)
        with m.Elif(infinite):
            m.d.comb += exact.kind.eq(Kind.INFINITE)
        with m.Else():
            m.d.comb += exact.kind.eq(Mux(zero, Kind.ZERO, Kind.FINITE))
        if not self._exact:
            m.submodules.round = rounding = Round(FP32, bits)
            m.d.sync += rounding.exact.eq(exact)
            m.d.comb += self.product.eq(rounding.value)
            return m
        fraction = exact.significand[-FP32.significand_bits : -1]
        biased = Mux(high, exponent + FP32.bias + 1, exponent + FP32.bias)
        magnitude = Cat(fraction, biased[: FP32.exponent_bits])
        with m.Switch(exact.kind):
            with m.Case(Kind.NAN):
                m.d.sync += self.product.eq(FP32.nan)
            with m.Case(Kind.INFINITE):
                m.d.sync += self.product.eq(Cat(Const(FP32.infinity, FP32.bits - 1), exact.sign))
            with m.Case(Kind.ZERO):
                m.d.sync += self.product.eq(Cat(Const(0, FP32.bits - 1), exact.sign))
            with m.Default():
                m.d.sync += self.product.eq(Cat(magnitude, exact.sign))
        return m
