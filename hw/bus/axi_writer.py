"""AXI writer: serves a write client from an AXI4 write port."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from hw.bus.axi import BURST_INCR, Axi4Write, Response
from hw.bus.burst_splitter import BurstSplitter
from hw.bus.client import WriteClient
from hw.config import EngineConfig


class AxiWriter(wiring.Component):
    """Turns the requests of a client into bursts, its beats into the bursts' data.

    A burst starts when AW is free and the beats of the burst before have all been taken from the
    client: its address goes to AW and, whether or not memory takes that, its beats follow on W.
    So AW is at most one burst behind W, and neither waits for the other's ready, as AXI demands.

    Ports: ``client`` In `WriteClient`; ``axi`` Out `Axi4Write`; ``error`` Out: a response was not
    OKAY since ``clear`` In was 1. ``client.idle`` is 1 when every burst accepted has its response,
    and 0 from the cycle after a request was accepted. A reset must reset the memory side too.

    A request taken on cycle 0 is on AW from cycle `request_latency`, and its first beat is taken
    from that cycle on; a beat taken on cycle 0 is on W from cycle `beat_latency`. A beat a cycle,
    within and across bursts and requests, so that requests of one beat each flow one a cycle too.
    That holds while at most `max_outstanding` bursts are in flight: then the next one waits for a
    response, and requests of one beat each flow at max_outstanding per memory latency.
    """

    request_latency = BurstSplitter.latency + 1
    beat_latency = 1
    max_outstanding = 255

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "client": In(WriteClient(config)),
                "axi": Out(Axi4Write(config)),
                "clear": In(1),
                "error": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config, axi, beat = self._config, self.axi, self.client.beat
        m.submodules.splitter = splitter = BurstSplitter(config)
        connect(m, flipped(self.client.request), splitter.request)
        burst = splitter.burst

        open_ = Signal()  # A burst has beats to take.
        left = Signal(8)  # They are this many, and one.
        outstanding = Signal(range(self.max_outstanding + 1))
        take = Signal()
        start = Signal()
        m.d.comb += [
            beat.ready.eq(open_ & (~axi.wvalid | axi.wready)),
            take.eq(beat.valid & beat.ready),
            burst.ready.eq(
                (~axi.awvalid | axi.awready)
                & (~open_ | (take & (left == 0)))
                & (outstanding != self.max_outstanding)
            ),
            start.eq(burst.valid & burst.ready),
        ]

        with m.If(start):
            m.d.sync += [
                axi.awvalid.eq(1),
                axi.awaddr.eq(burst.payload.address),
                axi.awlen.eq(burst.payload.length),
                open_.eq(1),
                left.eq(burst.payload.length),
            ]
        with m.Else():
            with m.If(axi.awready):
                m.d.sync += axi.awvalid.eq(0)
            with m.If(take):
                m.d.sync += [open_.eq(left != 0), left.eq(left - 1)]

        with m.If(take):
            m.d.sync += [
                axi.wvalid.eq(1),
                axi.wdata.eq(beat.payload.data),
                axi.wstrb.eq(beat.payload.strobe),
                axi.wlast.eq(left == 0),
            ]
        with m.Elif(axi.wready):
            m.d.sync += axi.wvalid.eq(0)

        m.d.sync += outstanding.eq(outstanding + start - axi.bvalid)
        m.d.comb += [
            axi.awid.eq(0),
            axi.awsize.eq(exact_log2(config.bus_bytes)),
            axi.awburst.eq(BURST_INCR),
            axi.bready.eq(1),
            self.client.idle.eq(~splitter.busy & (outstanding == 0)),
        ]
        with m.If(axi.bvalid & (axi.bresp != Response.OKAY)):
            m.d.sync += self.error.eq(1)
        with m.Elif(self.clear):
            m.d.sync += self.error.eq(0)
        return m
