"""Vector lane: three floats to one, by a product, a sum or a maximum, and a function."""

from amaranth.hdl import Module, Mux
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.pipeline import delay
from hw.dxe.float_combine import FloatCombine
from hw.dxe.float_function import FloatFunction
from hw.dxe.floats import FP32, FloatFormat, Unpack
from hw.dxe.function_table import Function
from hw.dxe.product import Product
from hw.dxe.round import Round

OPERATION = data.StructLayout({"take_max": 1, "function": Function})
"""What a lane does after the product: a sum or a maximum, then a function."""


class VectorLane(wiring.Component):
    """``function(x * a + b)``, or of the larger of ``x * a`` and ``b``; every step rounds.

    Ports: ``operation`` In `OPERATION`; ``x``, ``a``, ``b`` In, float32; ``value`` Out, float32, on
    cycle `latency`; ``short`` Out, the same rounded to 16 bits, on cycle `short_latency`. One a
    cycle.

    Args:
        form: of ``short``.
    """

    def __init__(self, form: FloatFormat):
        self._form = form
        self._product = Product(FP32)
        super().__init__(
            {
                "operation": In(OPERATION),
                "x": In(FP32.bits),
                "a": In(FP32.bits),
                "b": In(FP32.bits),
                "value": Out(FP32.bits),
                "short": Out(form.bits),
            }
        )

    @property
    def _product_latency(self) -> int:
        return Unpack.latency + self._product.latency

    @property
    def latency(self) -> int:
        """Cycles from operands to their value."""
        return self._product_latency + FloatCombine.latency + FloatFunction.latency

    @property
    def short_latency(self) -> int:
        """Cycles from operands to their value in 16 bits."""
        return self.latency + Unpack.latency + Round.latency

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        m.submodules.product = product = self._product
        for name, operand in (("x", product.a), ("a", product.b)):
            m.submodules[f"unpack_{name}"] = unpack = Unpack(FP32)
            m.d.comb += [unpack.value.eq(getattr(self, name)), operand.eq(unpack.operand)]

        m.submodules.combine = combine = FloatCombine()
        operation = delay(m, self.operation, self._product_latency, "operation")
        m.d.comb += [
            combine.take_max.eq(operation.take_max),
            combine.one.eq(product.product),
            combine.other.eq(delay(m, self.b, self._product_latency, "b")),
        ]

        m.submodules.function = function = FloatFunction()
        chosen = delay(m, operation.function, FloatCombine.latency, "chosen")
        m.d.comb += [function.x.eq(combine.result), function.function.eq(chosen)]
        plain = delay(m, combine.result, FloatFunction.latency, "plain")
        wanted = delay(m, chosen, FloatFunction.latency, "wanted")
        m.d.comb += self.value.eq(Mux(wanted == Function.NONE, plain, function.value))

        m.submodules.unpack_value = unpack = Unpack(FP32)
        m.submodules.shorten = shorten = Round(self._form, FP32.significand_bits + 2)
        operand = unpack.operand
        m.d.comb += [
            unpack.value.eq(self.value),
            shorten.exact.significand.eq(operand.significand << 2),
            shorten.exact.exponent.eq(operand.exponent),
            shorten.exact.sign.eq(operand.sign),
            shorten.exact.kind.eq(operand.kind),
            self.short.eq(shorten.value),
        ]
        return m
