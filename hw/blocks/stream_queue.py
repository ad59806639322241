"""Stream queue: a FIFO with a stream at each end."""

from amaranth.hdl import Module, Shape, ShapeLike
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out


class StreamQueue(wiring.Component):
    """Keeps up to ``depth`` items in order. Ports: ``i`` In stream, ``o`` Out stream of ``shape``.

    An item is offered at the earliest 2 cycles after it came; one item a cycle from a ``depth`` of
    3 up, one every second cycle below.
    """

    def __init__(self, shape: ShapeLike, depth: int):
        self._depth = depth
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        width = Shape.cast(self.i.payload.shape()).width
        m.submodules.fifo = fifo = SyncFIFOBuffered(width=width, depth=self._depth)
        m.d.comb += [
            fifo.w_data.eq(self.i.payload),
            fifo.w_en.eq(self.i.valid),
            self.i.ready.eq(fifo.w_rdy),
            self.o.payload.eq(fifo.r_data),
            self.o.valid.eq(fifo.r_rdy),
            fifo.r_en.eq(self.o.ready),
        ]
        return m
