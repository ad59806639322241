"""Float maximum: the larger of two float32."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.dxe.floats import FP32


class FloatMax(wiring.Component):
    """The larger of two; -0 is less than +0, and with a NaN it is `FP32.nan`.

    Ports: ``one``, ``other`` In, ``larger`` Out, float32. Combinational.
    """

    def __init__(self) -> None:
        super().__init__({"one": In(FP32.bits), "other": In(FP32.bits), "larger": Out(FP32.bits)})

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        one, other = self.one, self.other
        above = Signal()
        m.d.comb += above.eq((one[:-1] > other[:-1]) ^ one[-1])
        with m.If(one[-1] != other[-1]):
            m.d.comb += above.eq(other[-1])
        nan = (one[:-1] > FP32.infinity) | (other[:-1] > FP32.infinity)
        m.d.comb += self.larger.eq(Mux(nan, FP32.nan, Mux(above, one, other)))
        return m
