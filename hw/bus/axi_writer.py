"""AXI writer: serves a write client from an AXI4 write port."""

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from hw.blocks.stream_queue import StreamQueue
from hw.blocks.stream_register import StreamRegister
from hw.bus.axi import BURST_INCR, Axi4Write, Response
from hw.bus.burst_splitter import Burst, BurstSplitter
from hw.bus.client import WriteBeat, WriteClient
from hw.config import EngineConfig


class AxiWriter(wiring.Component):
    """Turns the requests of a client into bursts, its beats into the bursts' data.

    A burst is announced on AW when all of its beats are here, and they go to W no earlier. So
    memory never holds an address whose data wait for something that memory must do first: it may
    serve one transaction at a time.

    Ports:
        ``client`` In `WriteClient`, whose ``idle`` is 1 when every burst accepted has its response,
            and 0 from the cycle after a request was accepted; ``axi`` Out `Axi4Write`.
        ``error`` Out: since ``clear`` In was 1 a response was not OKAY, or answered no burst.
        ``stop`` In: while it is 1, nothing is announced that was not yet; ``quiet`` Out: all that
            was announced has its response; ``flush`` In, a pulse while stopped and quiet: what was
            accepted and not announced is forgotten. A reset must reset the memory side too.

    A request taken on cycle 0 has its first beat taken from cycle `request_latency` on. A burst
    whose last beat is taken on cycle 0 is on AW from cycle `address_latency`, and that beat on W
    from cycle `beat_latency`. A beat a cycle, within and across bursts and requests, so that
    requests of one beat each flow one a cycle too. That holds while at most `max_outstanding`
    bursts are in flight: then the next one waits for a response, and requests of one beat each flow
    at max_outstanding per memory latency. No path runs from memory to the client, nor back.
    """

    request_latency = BurstSplitter.latency + 1
    address_latency = StreamRegister.latency
    beat_latency = 2
    max_outstanding = 255

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "client": In(WriteClient(config)),
                "axi": Out(Axi4Write(config)),
                "stop": In(1),
                "flush": In(1),
                "quiet": Out(1),
                "clear": In(1),
                "error": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config, axi, beat = self._config, self.axi, self.client.beat
        forgets = ResetInserter(self.flush)
        splitter = BurstSplitter(config)
        m.submodules.splitter = forgets(splitter)
        connect(m, flipped(self.client.request), splitter.request)
        burst = splitter.burst

        # The burst that fills: its beats to come, less one.
        open_ = Signal()
        filling = Signal(Burst(config))
        left = Signal(8)
        # A whole burst, and what comes while its beats begin to leave.
        queue = StreamQueue(
            data.StructLayout({"beat": WriteBeat(config), "last": 1}),
            depth=config.burst_beats + self.beat_latency,
        )
        m.submodules.queue = forgets(queue)
        m.submodules.announced = announced = StreamRegister(Burst(config))
        take = Signal()
        start = Signal()
        whole = Signal()  # The last beat of the burst is taken.
        outstanding = Signal(range(self.max_outstanding + 1))  # Those announced, and the open one.
        owed = Signal(
            range(config.burst_beats + self.beat_latency + 1)
        )  # Whole bursts in the queue.
        m.d.comb += [
            beat.ready.eq(open_ & queue.i.ready & announced.i.ready & ~self.stop),
            take.eq(beat.valid & beat.ready),
            whole.eq(take & (left == 0)),
            burst.ready.eq((~open_ | whole) & (outstanding != self.max_outstanding) & ~self.stop),
            start.eq(burst.valid & burst.ready),
            queue.i.valid.eq(take),
            queue.i.payload.beat.eq(beat.payload),
            queue.i.payload.last.eq(left == 0),
            announced.i.valid.eq(whole),
            announced.i.payload.eq(filling),
        ]
        with m.If(start):
            m.d.sync += [filling.eq(burst.payload), open_.eq(1), left.eq(burst.payload.length)]
        with m.Elif(take):
            m.d.sync += [open_.eq(left != 0), left.eq(left - 1)]

        sent = queue.o.payload
        m.d.comb += [
            axi.awvalid.eq(announced.o.valid),
            announced.o.ready.eq(axi.awready),
            axi.awaddr.eq(announced.o.payload.address),
            axi.awlen.eq(announced.o.payload.length),
            axi.awid.eq(0),
            axi.awsize.eq(exact_log2(config.bus_bytes)),
            axi.awburst.eq(BURST_INCR),
            axi.wvalid.eq(queue.o.valid & (owed != 0)),
            queue.o.ready.eq(axi.wready & (owed != 0)),
            axi.wdata.eq(sent.beat.data),
            axi.wstrb.eq(sent.beat.strobe),
            axi.wlast.eq(sent.last),
            axi.bready.eq(1),
        ]
        ended = axi.wvalid & axi.wready & sent.last
        m.d.sync += owed.eq(owed + whole - ended)

        answered = axi.bvalid & (outstanding != 0)
        m.d.sync += outstanding.eq(outstanding + start - answered)
        m.d.comb += [
            self.client.idle.eq(~splitter.busy & (outstanding == 0)),
            self.quiet.eq(outstanding == open_),
        ]
        with m.If(axi.bvalid & ((axi.bresp != Response.OKAY) | (outstanding == 0))):
            m.d.sync += self.error.eq(1)
        with m.Elif(self.clear):
            m.d.sync += self.error.eq(0)
        with m.If(self.flush):
            m.d.sync += [open_.eq(0), outstanding.eq(0)]
        return m
