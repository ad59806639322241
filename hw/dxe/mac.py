"""Multiply and accumulate: a product of 16-bit floats, added to a float32."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.dxe.float_add import FloatAdd
from hw.dxe.floats import FloatFormat
from hw.dxe.product import Product
from hw.dxe.term import SUM_BITS, TERM, term_of


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
                "addend": In(SUM_BITS),
                "total": Out(SUM_BITS),
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
        addend = Signal(TERM)
        m.d.comb += [
            product.a.eq(self.a),
            product.b.eq(self.b),
            *(addend[name].eq(value) for name, value in term_of(self.addend).items()),
            add.one.eq(product.product),
            add.other.eq(addend),
            self.total.eq(add.total),
        ]
        return m
