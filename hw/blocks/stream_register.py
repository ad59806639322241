"""Stream register: a stream cut in two, so that no path runs through it."""

from amaranth.hdl import Module, ShapeLike, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class StreamRegister(wiring.Component):
    """Passes items on a cycle later. Ports: ``i`` In stream, ``o`` Out stream of ``shape``.

    Latency 1, one item a cycle. All outputs, ``i.ready`` too, are registers: an item that comes as
    the taker pauses waits in a second place.
    """

    latency = 1

    def __init__(self, shape: ShapeLike):
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        second = Signal.like(self.o.payload, reset_less=True)
        kept = Signal()
        m.d.comb += self.i.ready.eq(~kept)
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += [self.o.valid.eq(self.i.valid | kept), kept.eq(0)]
            with m.If(kept):
                m.d.sync += self.o.payload.eq(second)
            with m.Else():
                m.d.sync += self.o.payload.eq(self.i.payload)
        with m.Elif(~kept):
            m.d.sync += [second.eq(self.i.payload), kept.eq(self.i.valid)]
        return m
