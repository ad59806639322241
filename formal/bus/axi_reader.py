"""AXI reader: what AXI demands of a master that reads, and room for every beat it asked for."""

from dataclasses import replace
from typing import Any

from amaranth.hdl import Assert, Assume, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from formal.backlog import Backlog
from formal.proof import Proof
from formal.streams import as_stream, comes_in, keeps_its_offer, leaves_in_order
from hw.bus.axi import Axi4Read, Response
from hw.bus.axi_reader import AxiReader
from hw.bus.client import ReadClient
from hw.config import PRESETS

_CONFIG = replace(PRESETS["tiny"], burst_beats=2, fifo_beats=4)
_MOST = 3
"""Bursts in flight, here."""
_MOST_BEATS = 3
"""Of a request, here."""


class _Bus(wiring.Component):
    """Memory answers what it has taken, bursts of one id in order, and marks their last beats.

    ``prompt`` stays as it is: it may change only while its client waits for nothing.
    """

    def __init__(self, unit: Any, *, given_up: bool):
        unit.max_outstanding = _MOST
        self._unit = unit(_CONFIG)
        self._given_up = given_up
        super().__init__(
            {
                "a": In(ReadClient(_CONFIG)),
                "b": In(ReadClient(_CONFIG)),
                "axi": Out(Axi4Read(_CONFIG)),
                "prompt": In(2),
                "stop": In(1),
                "flush": In(1),
                "clear": In(1),
                "pick": In(1),
                "reached": Out(4),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        axi = self.axi
        wiring.connect(m, unit.axi, wiring.flipped(axi))
        for outside, client in ((self.a, unit.a), (self.b, unit.b)):
            asked = client.request.payload
            comes_in(m, outside.request, client.request)
            m.d.comb += [
                Assume((asked.beats != 0) & (asked.beats <= _MOST_BEATS)),
                Assume(asked.address[: exact_log2(_CONFIG.bus_bytes)] == 0),
                outside.beat.valid.eq(client.beat.valid),
                outside.beat.payload.eq(client.beat.payload),
                client.beat.ready.eq(outside.beat.ready),
            ]
        prompt = Signal(2, reset_less=True)
        stopped, waited = Signal(), Signal()
        m.d.sync += [
            prompt.eq(self.prompt), stopped.eq(self.stop), waited.eq(axi.arvalid & ~axi.arready),
        ]  # fmt: skip
        m.d.comb += [
            unit.prompt.eq(self.prompt),
            unit.clear.eq(self.clear),
            Assume(self.prompt == prompt),
        ]
        keeps_its_offer(
            m, as_stream(m, axi.arvalid, axi.arready, Cat(axi.araddr, axi.arlen, axi.arid)), Assert
        )

        shown = axi.arvalid & ~waited
        came = axi.rvalid & axi.rready
        beats = data.StructLayout({"beats": range(_CONFIG.burst_beats + 1)})
        flying: Value = shown
        for ident in range(2):
            backlog = Backlog(m, beats, _MOST)
            one, rest = Signal(beats, name=f"one_{ident}"), Signal(beats, name=f"rest_{ident}")
            mine = came & (axi.rid == ident)
            m.d.comb += [
                one.beats.eq(axi.arlen + 1),
                rest.beats.eq(backlog.first.beats - 1),
                Assume(
                    ~axi.rvalid
                    | (axi.rid != ident)
                    | (
                        (backlog.count > (waited & (axi.arid == ident)))
                        & (axi.rlast == (backlog.first.beats == 1))
                    )
                ),
            ]
            backlog.follow(
                shown & (axi.arid == ident), one, mine & axi.rlast, Mux(mine, rest, backlog.first)
            )
            flying = flying + backlog.count
        m.d.comb += [
            Assert(flying <= _MOST),
            Assert(~axi.arvalid | (axi.arlen < _CONFIG.burst_beats)),
            Assert(unit.quiet == (flying == 0)),
            # Who has credits has room.
            Assert(axi.rready | self.prompt.any()),
        ]
        failed = Signal()
        with m.If(came & (axi.rresp != Response.OKAY)):
            m.d.sync += failed.eq(1)
        with m.Elif(self.clear):
            m.d.sync += failed.eq(0)
        m.d.comb += Assert(unit.error == failed)

        inside = self._follow(m) if not self._given_up else self._give_up(m, shown, stopped)
        m.d.comb += self.reached.eq(
            Cat(
                (flying == _MOST) & axi.rvalid,
                ~axi.rready & axi.rvalid if not self._given_up else self.stop & stopped & waited,
                self.a.beat.valid & self.b.beat.valid & (axi.arid != axi.rid),
                inside,
            )
        )
        return m

    def _follow(self, m: Module) -> Value:
        """A bit of A's beats, from memory to the client."""
        axi, beat = self.axi, self._unit.a.beat
        came = as_stream(m, axi.rvalid & (axi.rid == 0), axi.rready, axi.rdata[9:10])
        left = as_stream(m, beat.valid, beat.ready, beat.payload[9:10])
        inside = leaves_in_order(m, came, left, self.pick, _CONFIG.fifo_beats)
        for client in (self._unit.a, self._unit.b):
            keeps_its_offer(m, client.beat, Assert)
        return inside == _CONFIG.fifo_beats

    def _give_up(self, m: Module, shown: Value, stopped: Value) -> Value:
        """While stopped nothing new is shown and every beat is taken; after a flush all is gone."""
        unit, forgot = self._unit, Signal()
        m.d.sync += forgot.eq(self.flush)
        m.d.comb += [
            unit.stop.eq(self.stop),
            unit.flush.eq(self.flush),
            Assume(~self.flush | (self.stop & stopped & unit.quiet)),
            Assume(~stopped | self.stop | forgot),
            Assert(~(shown & stopped)),
            Assert(~self.stop | self.axi.rready),
            Assert(~forgot | ~(unit.a.beat.valid | unit.b.beat.valid | self.axi.arvalid)),
        ]
        return forgot


SERVED = Proof(
    AxiReader,
    f"requests of 1 to {_MOST_BEATS} beats, queues of {_CONFIG.fifo_beats}, {_MOST} bursts in"
    " flight: offers stay, no more are in flight, quiet when there are none; without a prompt"
    " client every beat is taken as it comes; A's beats are offered in the order in which they"
    " came, each once; errors are told",
    lambda unit: _Bus(unit, given_up=False),
    (
        ("& (outstanding != self.max_outstanding)", ""),
        ("burst.payload.length < space", "burst.payload.length <= space"),
        ("space + taken - Mux", "space + 1 - Mux"),
        ("m.d.sync += axi.arvalid.eq(issued)", "m.d.sync += axi.arvalid.eq(1)"),
        ("with m.If(load):", "with m.If(1):"),
        ("(axi.rid == index)", "(axi.rid != index)"),
        ("came & axi.rlast & due", "came & due"),
        ("(Cat(rooms) | ~self.prompt).all()", "1"),
        ("(Cat(rooms) | ~self.prompt).all()", "Cat(rooms).all()"),
        ("axi.rresp != Response.OKAY", "axi.rresp == Response.SLVERR"),
        ("axi.arid.eq(chosen)", "axi.arid.eq(last)"),
        ("fifo.i.payload.eq(axi.rdata)", "fifo.i.payload.eq(0)"),
    ),
    (
        "as many in flight as may be", "a prompt client makes memory wait",
        "both have beats as AR and R speak of different ones", "A's queue is full",
    ),
    slow=True,
)  # fmt: skip
GIVEN_UP = Proof(
    AxiReader,
    "the same with stop and flush: while stopped AR shows nothing new and every beat is taken;"
    " after a flush nothing of before is offered",
    lambda unit: _Bus(unit, given_up=True),
    (
        ("load & ~self.stop", "load"),
        ("| self.stop),", "),"),
        ("forgets(fifo)", "fifo"),
        ("self.quiet.eq(~due)", "self.quiet.eq(1)"),
    ),
    (
        "as many in flight as may be", "AR waits while stopped",
        "both have beats as AR and R speak of different ones", "a flush",
    ),
    slow=True,
)  # fmt: skip
