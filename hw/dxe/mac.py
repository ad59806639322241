"""Multiply and accumulate: a product of 16-bit floats, added to a float32."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.dxe.float_add import FloatAdd
from hw.dxe.floats import FP32, FloatFormat
from hw.dxe.product import Product


class Mac(wiring.Component):
    """``total = addend + a * b``, both rounded as float32 arithmetic rounds.

    Ports: ``a``, ``b`` In `FloatFormat.operand`; ``addend`` In, a float32, taken `lead` cycles
    after its a and b; ``total`` Out, a float32, `latency` cycles after its addend. One a cycle.
    """

    latency = FloatAdd.latency

    def __init__(self, form: FloatFormat):
        self._form = form
        self._product = Product(form)
        super().__init__(
            {
                "a": In(form.operand),
                "b": In(form.operand),
                "addend": In(FP32.bits),
                "total": Out(FP32.bits),
            }
        )

    @property
    def lead(self) -> int:
        """Cycles from factors to their addend."""
        return self._product.latency

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        m.submodules.product = product = self._product
        m.submodules.add = add = FloatAdd()
        m.d.comb += [
            product.a.eq(self.a),
            product.b.eq(self.b),
            add.one.eq(product.product),
            add.other.eq(self.addend),
            self.total.eq(add.total),
        ]
        return m
