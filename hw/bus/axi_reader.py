"""AXI reader: serves two read clients from one AXI4 read port."""

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from hw.blocks.stream_queue import StreamQueue
from hw.bus.axi import BURST_INCR, Axi4Read, Response
from hw.bus.burst_splitter import BurstSplitter
from hw.bus.client import ReadClient
from hw.config import EngineConfig


class AxiReader(wiring.Component):
    """Turns the requests of clients A and B into bursts, and sorts the beats that come back.

    A burst is issued only when its client's FIFO of fifo_beats beats has room for all of it, so
    a beat is taken in the cycle it comes (RREADY is 1), a client may be as slow as it likes, and
    never keeps the other one from its beats. Where both clients could issue, they take turns.
    Bursts of A carry id 0, those of B id 1; beats of the two may come mixed in any way.

    A client that is *prompt* gets as many bursts as it asks for, up to `max_outstanding`. It must
    be able to take their beats whatever becomes of the other client: while it takes none, RREADY
    falls for both. So with a prompt client that waits for its own writes memory must go on with
    those beside a read; with none it may serve one transaction at a time.

    Ports:
        ``a``, ``b`` In `ReadClient`; ``prompt`` In, a bit a client, which changes only while the
            client waits for no beat; ``axi`` Out `Axi4Read`.
        ``error`` Out: since ``clear`` In was 1 a response was not OKAY (its beat is passed on all
            the same), or came while no burst was under way (and was dropped).
        ``stop`` In: from when it rises to the flush no burst is issued that was not yet, and beats
            are dropped; ``quiet`` Out: every burst issued had its last beat; ``flush`` In, a pulse
            in the last cycle of ``stop``, when quiet: what clients asked for and what came for them
            is forgotten. A reset must reset the memory side too: the beats of bursts from before it
            would be taken for new ones.

    A request taken on cycle 0 is on AR from cycle `request_latency`, if nothing stands in front
    of it; a beat on R on cycle 0 is offered to its client from cycle `beat_latency`. A burst a
    cycle. One client alone takes a beat a cycle, its requests back to back, while memory's first
    beat comes at most `covered_latency` cycles after AR; then one FIFO's worth of beats comes in
    every latency + fifo_beats - covered_latency cycles. Two clients at once cover twice that, and a
    prompt client any latency in which it has at most `max_outstanding` bursts under way.
    """

    request_latency = BurstSplitter.latency + 1
    beat_latency = 2
    max_outstanding = 1023

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "a": In(ReadClient(config)),
                "b": In(ReadClient(config)),
                "axi": Out(Axi4Read(config)),
                "prompt": In(2),
                "stop": In(1),
                "flush": In(1),
                "quiet": Out(1),
                "clear": In(1),
                "error": Out(1),
            }
        )

    @property
    def covered_latency(self) -> int:
        """Most cycles from AR to the first beat on R at which one client gets a beat a cycle.

        A place in the FIFO is in use from the grant of its burst, a cycle before AR, through
        memory's latency, the way through the FIFO, and until the last beat of the burst, which
        is freed with it, was taken and counted: all this may last fifo_beats cycles.
        """
        return self._config.fifo_beats - self._config.burst_beats - self.beat_latency - 1

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config, axi = self._config, self.axi
        clients = {"a": self.a, "b": self.b}
        forgets = ResetInserter(self.flush)
        outstanding = Signal(range(self.max_outstanding + 1))
        due = outstanding != 0
        load = Signal()  # The AR register takes a burst, if there is one.
        grants = Signal()  # And may take one.
        m.d.comb += [
            load.eq(~axi.arvalid | axi.arready),
            grants.eq(load & ~self.stop & (outstanding != self.max_outstanding)),
        ]

        bursts, wanted, granted, rooms = [], [], [], []
        for index, (name, client) in enumerate(clients.items()):
            splitter = BurstSplitter(config, config.burst_beats)
            fifo = StreamQueue(config.bus_bits, depth=config.fifo_beats)
            m.submodules[f"splitter_{name}"] = forgets(splitter)
            m.submodules[f"fifo_{name}"] = forgets(fifo)
            connect(m, flipped(client.request), splitter.request)
            connect(m, fifo.o, flipped(client.beat))
            m.d.comb += [
                fifo.i.payload.eq(axi.rdata),
                fifo.i.valid.eq(axi.rvalid & axi.rready & (axi.rid == index) & due & ~self.stop),
            ]
            places = range(config.fifo_beats + 1)
            space = Signal(places, init=config.fifo_beats, name=f"space_{name}")
            wants = Signal(name=f"wants_{name}")
            grant = Signal(name=f"grant_{name}")
            burst, prompt = splitter.burst, self.prompt[index]
            taken = client.beat.valid & client.beat.ready
            m.d.comb += [
                wants.eq(burst.valid & (prompt | (burst.payload.length < space))),
                burst.ready.eq(grant),
            ]
            with m.If(self.flush):
                m.d.sync += space.eq(config.fifo_beats)
            with m.Else():
                m.d.sync += space.eq(space + taken - Mux(grant, burst.payload.length + 1, 0))
            rooms.append(fifo.i.ready)
            bursts.append(burst.payload)
            wanted.append(wants)
            granted.append(grant)

        last = Signal()  # The client of the last grant.
        chosen = Signal()
        m.d.comb += [
            chosen.eq(Mux(wanted[0] & wanted[1], ~last, wanted[1])),
            granted[0].eq(grants & wanted[0] & ~chosen),
            granted[1].eq(grants & wanted[1] & chosen),
        ]
        issued = granted[0] | granted[1]
        with m.If(load):
            m.d.sync += axi.arvalid.eq(issued)
            with m.If(issued):
                m.d.sync += [
                    last.eq(chosen),
                    axi.arid.eq(chosen),
                    axi.araddr.eq(Mux(chosen, bursts[1].address, bursts[0].address)),
                    axi.arlen.eq(Mux(chosen, bursts[1].length, bursts[0].length)),
                ]
        m.d.comb += [
            axi.arsize.eq(exact_log2(config.bus_bytes)),
            axi.arburst.eq(BURST_INCR),
            # Who has credits has room for what comes, although the FIFO may be full.
            axi.rready.eq((Cat(rooms) | ~self.prompt).all() | self.stop),
            self.quiet.eq(~due),
        ]
        came = axi.rvalid & axi.rready
        m.d.sync += outstanding.eq(outstanding + issued - (came & axi.rlast & due))
        with m.If(came & ((axi.rresp != Response.OKAY) | ~due)):
            m.d.sync += self.error.eq(1)
        with m.Elif(self.clear):
            m.d.sync += self.error.eq(0)
        return m
