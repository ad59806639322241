"""Processing element: one weight of a systolic array, and the sums that pass it."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from hw.dxe.floats import FP32, FloatFormat
from hw.dxe.mac import Mac


class Load(enum.Enum, shape=2):  # type: ignore[call-arg]
    """How the weights that wait move on: not at all, or a place down or right."""

    NONE = 0
    DOWN = 1
    RIGHT = 2


class ProcessingElement(wiring.Component):
    """Adds ``activation * weight`` to each sum that comes from above.

    The weight in use is held while the next one waits beside it: ``swap`` takes it over, a cycle
    before the first activation that it is for.

    Ports: ``activation`` In, ``activation_right`` Out, a cycle later; ``swap`` In, ``swap_right``
    Out, likewise; ``load`` In, ``above`` and ``left`` In, the weights that wait there, and
    ``waiting`` Out, its own; ``addend`` In, a float32, taken `lead` cycles after its activation;
    ``total`` Out, `latency` cycles later. One activation a cycle.
    """

    latency = Mac.latency

    def __init__(self, form: FloatFormat):
        self._form = form
        self._mac = Mac(form)
        super().__init__(
            {
                "activation": In(form.operand),
                "activation_right": Out(form.operand),
                "swap": In(1),
                "swap_right": Out(1),
                "load": In(Load),
                "above": In(form.operand),
                "left": In(form.operand),
                "waiting": Out(form.operand),
                "addend": In(FP32.bits),
                "total": Out(FP32.bits),
            }
        )

    @property
    def lead(self) -> int:
        """Cycles from an activation to its addend."""
        return self._mac.lead

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        m.submodules.mac = mac = self._mac
        weight = Signal(self._form.operand)
        m.d.sync += [self.activation_right.eq(self.activation), self.swap_right.eq(self.swap)]
        with m.If(self.swap):
            m.d.sync += weight.eq(self.waiting)
        with m.If(self.load != Load.NONE):
            m.d.sync += self.waiting.eq(
                Mux(self.load == Load.DOWN, self.above.as_value(), self.left.as_value())
            )
        m.d.comb += [
            mac.a.eq(self.activation),
            mac.b.eq(weight),
            mac.addend.eq(self.addend),
            self.total.eq(mac.total),
        ]
        return m
