"""AXI writer: what AXI demands of a master that writes, and the client's beats in their order."""

from typing import Any

from amaranth.hdl import Assert, Assume, Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from formal.proof import Proof
from formal.streams import as_stream, comes_in, keeps_its_offer, leaves_in_order
from hw.bus.axi import Axi4Write, Response
from hw.bus.axi_writer import AxiWriter
from hw.bus.client import Request, WriteBeat
from hw.config import PRESETS

_CONFIG = PRESETS["tiny"]
_BURST = _CONFIG.write_burst_beats
_MOST = 3
"""Bursts in flight, here."""
_MOST_BEATS = 3
"""Of a request, here."""


def _with_client(m: Module, properties: Any) -> Any:
    """The unit between a client that keeps to its contract and the bus of the properties."""
    m.submodules.unit = unit = properties.unit
    comes_in(m, properties.request, unit.client.request)
    comes_in(m, properties.beat, unit.client.beat)
    wiring.connect(m, unit.axi, wiring.flipped(properties.axi))
    asked = unit.client.request.payload
    m.d.comb += [
        Assume((asked.beats != 0) & (asked.beats <= _MOST_BEATS)),
        Assume(asked.address[: exact_log2(_CONFIG.bus_bytes)] == 0),
    ]
    return unit


class _Ports(wiring.Component):
    """What the properties drive and see."""

    def __init__(self, unit: Any, **more: Any):
        unit.max_outstanding = _MOST
        self.unit = unit(_CONFIG)
        super().__init__(
            {
                "request": In(stream.Signature(Request(_CONFIG))),
                "beat": In(stream.Signature(WriteBeat(_CONFIG))),
                "axi": Out(Axi4Write(_CONFIG)),
                **more,
            }
        )


class _Bus(_Ports):
    """Memory answers bursts whose data it has, and else does what it likes."""

    def __init__(self, unit: Any):
        super().__init__(unit, stop=In(1), flush=In(1), clear=In(1), reached=Out(4))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        unit = _with_client(m, self)
        axi = self.axi
        m.d.comb += [unit.stop.eq(self.stop), unit.flush.eq(self.flush)]
        address = as_stream(m, axi.awvalid, axi.awready, Cat(axi.awaddr, axi.awlen))
        sent = as_stream(m, axi.wvalid, axi.wready, Cat(axi.wdata, axi.wstrb, axi.wlast))
        for port in (address, sent):
            keeps_its_offer(m, port, Assert)

        # Bursts that AW has shown and whose data are not all sent: the lengths of those before this
        # cycle, of which two find room, and the one of a burst that AW shows for the first time.
        waited, stopped = Signal(), Signal()
        shown = axi.awvalid & ~waited
        first, second = (Signal(8, name=f"length_{place}") for place in range(2))
        count, total, beats = Signal(2), Signal(3), Signal(8)
        length = Mux(count == 0, axi.awlen, first)
        ends = axi.wvalid & axi.wready & axi.wlast
        m.d.sync += [
            waited.eq(axi.awvalid & ~axi.awready),
            stopped.eq(self.stop),
            count.eq(total - ends),
        ]
        with m.If(ends):
            m.d.sync += beats.eq(0)
        with m.Elif(axi.wvalid & axi.wready):
            m.d.sync += beats.eq(beats + 1)
        with m.If(ends):
            m.d.sync += [first.eq(Mux(count == 1, axi.awlen, second)), second.eq(axi.awlen)]
        with m.Elif(shown):
            m.d.sync += [first.eq(Mux(count == 0, axi.awlen, first)), second.eq(axi.awlen)]
        owed = Signal(range(_MOST + 2))  # Responses to bursts that were sent.
        m.d.sync += owed.eq(owed + ends - axi.bvalid)
        m.d.comb += [
            total.eq(count + shown),
            Assume(~axi.bvalid | (owed != 0)),
            Assert(total <= 2),
            Assert(total + owed <= _MOST),
            Assert(~axi.awvalid | (axi.awlen < _BURST)),
            Assert(~axi.wvalid | ((total != 0) & (axi.wlast == (beats == length)))),
            Assert(axi.bready),
            Assert(~(shown & stopped)),
            Assert(unit.quiet == (total + owed == 0)),
        ]

        # That the splitter is busy while beats are inside is proven of it.
        asked, forgot = Signal(), Signal()
        request = unit.client.request
        m.d.sync += [
            asked.eq(request.valid & request.ready & ~self.flush), forgot.eq(self.flush),
        ]  # fmt: skip
        m.d.comb += [
            Assume(~self.flush | (self.stop & stopped & unit.quiet)),
            Assert(~unit.client.idle | (unit.quiet & ~asked)),
            Assert(~forgot | unit.client.idle),
        ]

        failed = Signal()
        with m.If(axi.bvalid & (axi.bresp != Response.OKAY)):
            m.d.sync += failed.eq(1)
        with m.Elif(unit.clear):
            m.d.sync += failed.eq(0)
        m.d.comb += [
            unit.clear.eq(self.clear),
            Assert(unit.error == failed),
            self.reached.eq(
                Cat(
                    axi.awvalid & (total == 2) & (owed == 1),
                    axi.wvalid & axi.wlast & (beats == _BURST - 1),
                    self.stop & axi.awvalid & stopped,
                    forgot & (total == 0),
                )
            ),
        ]
        return m


class _Beats(_Ports):
    """One byte's strobe and one of its bits are followed from the client to memory."""

    def __init__(self, unit: Any):
        super().__init__(unit, pick=In(1), reached=Out(2))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        unit = _with_client(m, self)
        beat, axi = unit.client.beat, self.axi
        came = as_stream(
            m, beat.valid, beat.ready, Cat(beat.payload.data[9], beat.payload.strobe[1])
        )
        left = as_stream(m, axi.wvalid, axi.wready, Cat(axi.wdata[9], axi.wstrb[1]))
        inside = leaves_in_order(m, came, left, self.pick, 2)
        m.d.comb += self.reached.eq(Cat(inside == 2, axi.wvalid & ~axi.wready & beat.valid))
        return m


BUS = Proof(
    AxiWriter,
    f"requests of 1 to {_MOST_BEATS} beats, {_MOST} bursts in flight: offers on AW and W stay; each"
    " burst has as many beats as AW said, the last one marked, and none before AW shows the burst;"
    " no more are in flight; while stopped, AW shows nothing new; quiet when all has its response;"
    " idle is quiet, not after a request, and after a flush; errors are told",
    _Bus,
    (
        ("(outstanding != self.max_outstanding) & ", ""),
        ("& ~(last & axi.awvalid)", ""),
        ("& ~self.stop)", ")"),
        ("last = taken == burst.payload.length", "last = taken == 0"),
        ("places.o.valid & (owed != 0)", "places.o.valid"),
        ("places.i.payload.last.eq(last)", "places.i.payload.last.eq(1)"),
        ("self.flush | whole", "whole"),
        ("with m.Elif(axi.awready):", "with m.Else():"),
        ("axi.awlen.eq(burst.payload.length)", "axi.awlen.eq(0)"),
        ("owed + whole - ended", "owed + whole - (ended & ~whole)"),
        ("outstanding + whole - (axi.bvalid & ~none)", "outstanding + whole"),
        ("~splitter.busy & none", "none"),
        ("~splitter.busy & none", "~splitter.busy"),
        ("axi.bresp != Response.OKAY", "axi.bresp == Response.SLVERR"),
        ("with m.Elif(self.clear):", "with m.Elif(0):"),
        ("forgets(splitter)", "splitter"),
    ),
    (
        "three bursts in flight, the last one shown", "the last beat of a whole burst",
        "AW waits while stopped", "a flush",
    ),
)  # fmt: skip
BEATS = Proof(
    AxiWriter,
    "beats and their strobes leave in the order in which they came, each once, two inside at most",
    _Beats,
    (
        ("places.i.valid.eq(take)", "places.i.valid.eq(beat.valid)"),
        (
            "places.i.payload.beat.eq(beat.payload)",
            "places.i.payload.beat.data.eq(beat.payload.data)",
        ),
        ("axi.wready & (owed != 0)", "axi.wready"),
        ("burst.valid & places.i.ready & room", "burst.valid & room"),
    ),
    ("two inside", "memory makes the client wait"),
)
