"""Stream fork: one stream offered to several takers."""

from amaranth.hdl import Cat, Module, Mux, ShapeLike, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class StreamFork(wiring.Component):
    """Offers each item to every taker, which take it in whichever order they become ready.

    Ports: ``i`` In stream of ``shape``; ``o`` [n] Out streams of it.

    Latency 0. An item leaves ``i`` in the cycle in which the last taker takes it: one item a cycle
    where all are ready. A taker sees no item twice.
    """

    latency = 0

    def __init__(self, shape: ShapeLike, takers: int):
        self._takers = takers
        super().__init__(
            {
                "i": In(stream.Signature(shape)),
                "o": Out(stream.Signature(shape)).array(takers),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        taken = Signal(self._takers)  # Of the item that is offered.
        settled = taken | Cat(self.o[taker].ready for taker in range(self._takers))
        m.d.comb += self.i.ready.eq(settled.all())
        for taker in range(self._takers):
            m.d.comb += [
                self.o[taker].payload.eq(self.i.payload),
                self.o[taker].valid.eq(self.i.valid & ~taken[taker]),
            ]
        with m.If(self.i.valid):
            m.d.sync += taken.eq(Mux(self.i.ready, 0, settled))
        return m
