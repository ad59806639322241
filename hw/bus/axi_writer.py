"""AXI writer: serves a write client from an AXI4 write port."""

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from hw.blocks.stream_register import StreamRegister
from hw.bus.axi import BURST_INCR, Axi4Write, Response
from hw.bus.burst_splitter import BurstSplitter
from hw.bus.client import WriteBeat, WriteClient
from hw.config import EngineConfig


class AxiWriter(wiring.Component):
    """Turns the requests of a client into bursts, its beats into the bursts' data.

    A burst, of at most `EngineConfig.write_burst_beats`, goes to AW when all of its beats are here,
    and they go to W no earlier. So memory never holds an address whose data wait for something that
    memory must do first: it may serve one transaction at a time.

    Ports:
        ``client`` In `WriteClient`, whose ``idle`` is 1 when every burst accepted has its response,
            and 0 from the cycle after a request was accepted; ``axi`` Out `Axi4Write`.
        ``error`` Out: since ``clear`` In was 1 a response was not OKAY, or answered no burst.
        ``stop`` In: while it is 1, nothing goes to AW that was not there yet; ``quiet`` Out: all
            that did has its response; ``flush`` In, a pulse while stopped and quiet: what else was
            accepted is forgotten. A reset must reset the memory side too.

    A request taken on cycle 0 has its first beat taken from cycle `request_latency` on. A burst
    whose last beat is taken on cycle 0 is on AW from cycle `latency`, and its first beat on W.
    `beats_a_cycle` in long requests, and a request of one beat every second cycle. That holds while
    at most `max_outstanding` bursts are in flight: then the next one waits for a response. No path
    runs from memory to the client, nor back.
    """

    request_latency = BurstSplitter.latency
    latency = StreamRegister.latency
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

    @property
    def beats_a_cycle(self) -> float:
        """Beats of a long request: a burst's first one comes as the last of the one before goes."""
        beats = self._config.write_burst_beats
        return beats / (beats + 1)

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config, axi, beat = self._config, self.axi, self.client.beat
        forgets = ResetInserter(self.flush)
        splitter = BurstSplitter(config, config.write_burst_beats)
        places = StreamRegister(data.StructLayout({"beat": WriteBeat(config), "last": 1}))
        m.submodules.splitter = forgets(splitter)
        m.submodules.places = forgets(places)  # Two: a whole burst.
        connect(m, flipped(self.client.request), splitter.request)
        burst = splitter.burst

        taken = Signal(range(config.write_burst_beats))  # Beats of the burst that are here.
        outstanding = Signal(range(self.max_outstanding + 1))
        owed = Signal(range(3))  # Whole bursts whose last beat is here.
        take = Signal()
        whole = Signal()
        last = taken == burst.payload.length
        room = (outstanding != self.max_outstanding) & ~(last & axi.awvalid)
        m.d.comb += [
            beat.ready.eq(burst.valid & places.i.ready & room & ~self.stop),
            take.eq(beat.valid & beat.ready),
            whole.eq(take & last),
            burst.ready.eq(whole),
            places.i.valid.eq(take),
            places.i.payload.beat.eq(beat.payload),
            places.i.payload.last.eq(last),
        ]
        with m.If(self.flush | whole):
            m.d.sync += taken.eq(0)
        with m.Elif(take):
            m.d.sync += taken.eq(taken + 1)

        with m.If(whole):
            m.d.sync += [
                axi.awvalid.eq(1),
                axi.awaddr.eq(burst.payload.address),
                axi.awlen.eq(burst.payload.length),
            ]
        with m.Elif(axi.awready):
            m.d.sync += axi.awvalid.eq(0)
        sent = places.o.payload
        ended = axi.wvalid & axi.wready & axi.wlast
        m.d.comb += [
            axi.awid.eq(0),
            axi.awsize.eq(exact_log2(config.bus_bytes)),
            axi.awburst.eq(BURST_INCR),
            axi.wvalid.eq(places.o.valid & (owed != 0)),
            places.o.ready.eq(axi.wready & (owed != 0)),
            axi.wdata.eq(sent.beat.data),
            axi.wstrb.eq(sent.beat.strobe),
            axi.wlast.eq(sent.last),
            axi.bready.eq(1),
        ]
        m.d.sync += owed.eq(owed + whole - ended)

        none = outstanding == 0
        m.d.sync += outstanding.eq(outstanding + whole - (axi.bvalid & ~none))
        m.d.comb += [
            self.client.idle.eq(~splitter.busy & none),
            self.quiet.eq(none),
        ]
        with m.If(axi.bvalid & ((axi.bresp != Response.OKAY) | none)):
            m.d.sync += self.error.eq(1)
        with m.Elif(self.clear):
            m.d.sync += self.error.eq(0)
        return m
