"""Read share: clients that use one read port at the same time, in the order of their requests."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.stream_queue import StreamQueue
from hw.bus.client import ReadClient
from hw.config import REQUEST_BITS, EngineConfig


class ReadShare(wiring.Component):
    """Hands on the requests of its clients, and each one's beats as they come back.

    Where several clients ask, the lowest goes first. Beats come in the order of the requests, so a
    client that does not take its own keeps those of the others from them: each must be able to take
    what it asked for without waiting for what another one has asked for later.

    Ports: ``client`` [n] In and ``port`` Out, `ReadClient`.

    Latency 0, both ways: requests pass in the cycle in which they come while fewer than ``depth``
    have beats to come, and beats from the second cycle after their request on.
    """

    def __init__(self, config: EngineConfig, clients: int, depth: int = 8):
        self._clients = clients
        self._depth = depth
        super().__init__(
            {
                "client": In(ReadClient(config)).array(clients),
                "port": Out(ReadClient(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        clients = [self.client[index] for index in range(self._clients)]
        order = data.StructLayout({"client": range(max(2, self._clients)), "beats": REQUEST_BITS})
        m.submodules.order = queue = StreamQueue(order, self._depth)
        port, asked = self.port, self.port.request
        # Whoever is offered to memory stays until it is taken.
        chosen = Signal(range(max(2, self._clients)))
        held = Signal()
        kept = Signal.like(chosen)
        for index, client in reversed(list(enumerate(clients))):
            with m.If(client.request.valid):
                m.d.comb += chosen.eq(index)
        with m.If(held):
            m.d.comb += chosen.eq(kept)
        m.d.sync += [kept.eq(chosen), held.eq(asked.valid & ~asked.ready)]
        with m.Switch(chosen):
            for index, client in enumerate(clients):
                with m.Case(index):
                    m.d.comb += [
                        asked.payload.eq(client.request.payload),
                        asked.valid.eq(client.request.valid & queue.i.ready),
                        client.request.ready.eq(asked.ready & queue.i.ready),
                        queue.i.valid.eq(client.request.valid & asked.ready),
                    ]
        m.d.comb += [
            queue.i.payload.client.eq(chosen),
            queue.i.payload.beats.eq(asked.payload.beats),
        ]

        # The order reaches the queue's end before a beat can come, unless beats come at once.
        taken = Signal(REQUEST_BITS)
        owner = queue.o.payload
        ready = Cat(client.beat.ready for client in clients).bit_select(owner.client, 1)
        last = taken == owner.beats - 1
        beat = port.beat.valid & port.beat.ready
        m.d.comb += [
            port.beat.ready.eq(queue.o.valid & ready),
            queue.o.ready.eq(beat & last),
        ]
        with m.If(beat):
            m.d.sync += taken.eq(Mux(last, 0, taken + 1))
        for index, client in enumerate(clients):
            m.d.comb += [
                client.beat.payload.eq(port.beat.payload),
                client.beat.valid.eq(port.beat.valid & queue.o.valid & (owner.client == index)),
            ]
        return m
