"""Product: of two 16-bit floats, as float32 has it."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.dxe.floats import FloatFormat, Kind
from hw.dxe.shift import round_up, shifted_right
from hw.dxe.term import BIAS, FRACTION_BITS, INFINITE_EXPONENT, TERM

_WIDTH = FRACTION_BITS + 1


class Product(wiring.Component):
    """``a * b``, rounded as float32 multiplication rounds it.

    A product of two FP16 values is exact. One of two BF16 values is, unless it is subnormal or
    overflows, which takes a cycle more.

    Ports: ``a``, ``b`` In `FloatFormat.operand`; ``product`` Out `TERM`, on cycle `latency`. One a
    cycle.
    """

    def __init__(self, form: FloatFormat):
        self._form = form
        super().__init__({"a": In(form.operand), "b": In(form.operand), "product": Out(TERM)})

    @property
    def latency(self) -> int:
        """Cycles from factors to their product."""
        return 1 if self._always_normal else 2

    @property
    def _always_normal(self) -> bool:
        """Whether every product of finite values is a normal float32, or 0."""
        least = -2 * (self._form.bias + self._form.fraction_bits)
        return least > -BIAS and 2 * (self._form.bias + 1) < BIAS

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        a, b = self.a, self.b
        raw = Signal(2 * len(a.significand))
        nan, infinite, zero = Signal(), Signal(), Signal()
        exponent = Signal(signed(len(a.exponent) + 2))
        infinities = (a.kind == Kind.INFINITE) | (b.kind == Kind.INFINITE)
        zeros = (a.kind == Kind.ZERO) | (b.kind == Kind.ZERO)
        m.d.comb += [
            raw.eq(a.significand * b.significand),
            nan.eq((a.kind == Kind.NAN) | (b.kind == Kind.NAN) | (infinities & zeros)),
            infinite.eq(infinities),
            zero.eq(zeros),
            # The leading one is at the uppermost bit, or at the one below it.
            exponent.eq(a.exponent + b.exponent + BIAS + raw[-1]),
        ]
        significand = Cat(Const(0, _WIDTH - len(raw)), Mux(raw[-1], raw, raw << 1)[: len(raw)])
        if self._always_normal:
            self._send(m, significand, exponent, a.sign ^ b.sign, nan, infinite, zero)
            return m
        before = [
            Signal.like(value, name=f"{name}_before")
            for name, value in (("nan", nan), ("infinite", infinite), ("zero", zero))
        ]
        kept, biased, sign = Signal(_WIDTH), Signal.like(exponent), Signal()
        m.d.sync += [
            *(later.eq(now) for later, now in zip(before, (nan, infinite, zero), strict=True)),
            kept.eq(significand),
            biased.eq(exponent),
            sign.eq(a.sign ^ b.sign),
        ]
        nan, infinite, zero = before
        # Below the least normal number, the exponent stays and the significand moves down.
        below = Signal(range(2 * _WIDTH))
        m.d.comb += below.eq(Mux(biased < 1 - _WIDTH, _WIDTH + 1, Mux(biased < 1, 1 - biased, 0)))
        moved = shifted_right(m, Cat(Const(0, 2), kept), below, "moved")
        rounded = moved[2:] + round_up(moved[2:], moved[:2])
        infinite = infinite | (biased >= INFINITE_EXPONENT)
        self._send(m, rounded, Mux(biased < 1, 1, biased), sign, nan, infinite, zero)
        return m

    def _send(
        self,
        m: Module,
        significand: Value,
        exponent: Value,
        sign: Value,
        nan: Value,
        infinite: Value,
        zero: Value,
    ) -> None:
        """Put a product, of which the first that is true holds, into the register."""
        product = self.product
        m.d.sync += [product.sign.eq(sign), product.nan.eq(nan)]
        with m.If(infinite):
            m.d.sync += [
                product.significand.eq(1 << FRACTION_BITS),
                product.exponent.eq(INFINITE_EXPONENT),
            ]
        with m.Elif(zero):
            m.d.sync += [product.significand.eq(0), product.exponent.eq(1)]
        with m.Else():
            m.d.sync += [product.significand.eq(significand), product.exponent.eq(exponent)]
