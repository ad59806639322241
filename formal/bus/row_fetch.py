"""Row fetch: a request for each token's row."""

from dataclasses import replace
from typing import Any

from amaranth.hdl import Assert, Assume, Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from formal.backlog import Backlog
from formal.proof import Proof
from formal.streams import comes_in, goes_out, offers_in_time
from hw.bus.client import Request
from hw.bus.row_fetch import RowFetch
from hw.config import PRESETS

_CONFIG = replace(PRESETS["tiny"], max_tokens=16, max_dst=8, address_bits=16)
_INSIDE = 2


class _Properties(wiring.Component):
    """Where the rows begin and how long they are changes while no token is inside."""

    def __init__(self, unit: Any):
        self._unit = unit(_CONFIG)
        super().__init__(
            {
                "address": In(_CONFIG.address_bits),
                "row_beats": In(range(_CONFIG.max_row_beats + 1)),
                "token": In(stream.Signature(_CONFIG.token_bits)),
                "request": Out(stream.Signature(Request(_CONFIG))),
                "reached": Out(2),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        comes_in(m, self.token, unit.token)
        goes_out(m, unit.request, self.request)
        rows = Cat(self.address, self.row_beats)
        before = Signal.like(rows, name="before")
        backlog = Backlog(m, data.StructLayout({"token": _CONFIG.token_bits}), _INSIDE)
        m.d.sync += before.eq(rows)
        m.d.comb += [
            unit.address.eq(self.address),
            unit.row_beats.eq(self.row_beats),
            Assume((rows == before) | ~backlog.some),
        ]
        left = unit.request.valid & unit.request.ready
        backlog.follow(unit.token.valid & unit.token.ready, unit.token.payload, left)
        asked = unit.request.payload
        place = (backlog.first.token * self.row_beats) << exact_log2(_CONFIG.bus_bytes)
        with m.If(unit.request.valid):
            m.d.comb += [
                Assert(backlog.some),
                Assert(asked.address == (self.address + place)[: _CONFIG.address_bits]),
                Assert(asked.beats == self.row_beats),
            ]
        offers_in_time(m, unit.request, backlog.count, RowFetch.latency - 1)
        m.d.comb += [
            Assert(unit.token.ready | (backlog.count == _INSIDE)),
            self.reached.eq(Cat(backlog.count == _INSIDE, left & (backlog.first.token == 15))),
        ]
        return m


PROOF = Proof(
    RowFetch,
    f"{_CONFIG.max_tokens} tokens with rows of up to {_CONFIG.max_row_beats} beats: each is"
    " requested once, in order, at its place, two cycles later where nothing stands before it; one"
    " a cycle; offers stay",
    _Properties,
    (
        ("~request.valid | request.ready", "request.ready"),
        ("~request.valid | request.ready", "~request.valid"),
        ("~multiplied | last_free", "last_free"),
        ("~multiplied | last_free", "1"),
        ("request.valid.eq(multiplied)", "request.valid.eq(self.token.valid)"),
        ("product << beat_shift", "product"),
        ("self.token.payload * self.row_beats", "self.token.payload"),
    ),
    ("two tokens inside", "the last token's row is taken"),
    slow=True,
)
