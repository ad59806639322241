"""Credit queue: lets a pipeline without back-pressure feed a stream that has it."""

from amaranth.hdl import Module, ShapeLike, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.stream_queue import StreamQueue


class CreditQueue(wiring.Component):
    """A queue that is asked for room before an item enters the pipeline that ends in it.

    Ports: ``room`` Out: an item may be started; ``take`` In: one is, which needs ``room``; ``i``
    In, always-ready stream of ``shape``: the items that were started, in any later cycle; ``o``
    Out stream of ``shape``.

    An item is offered at the earliest 2 cycles after it came. One item a cycle, sustained where
    ``depth`` is at least `depth_for` of the pipeline's latency.
    """

    _turnaround = 3
    """Cycles of a place besides the pipeline's: two in the queue, one to be counted free."""

    def __init__(self, shape: ShapeLike, depth: int):
        self._depth = depth
        super().__init__(
            {
                "room": Out(1),
                "take": In(1),
                "i": In(stream.Signature(shape, always_ready=True)),
                "o": Out(stream.Signature(shape)),
            }
        )

    @classmethod
    def depth_for(cls, pipeline: int) -> int:
        """The least depth that keeps a pipeline of that latency full."""
        return pipeline + cls._turnaround

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        m.submodules.queue = queue = StreamQueue(self.o.payload.shape(), self._depth)
        m.d.comb += [queue.i.payload.eq(self.i.payload), queue.i.valid.eq(self.i.valid)]
        wiring.connect(m, queue.o, wiring.flipped(self.o))

        taken = Signal(range(self._depth + 1))
        m.d.comb += self.room.eq(taken != self._depth)
        m.d.sync += taken.eq(taken + self.take - (self.o.valid & self.o.ready))
        return m
