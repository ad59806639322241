"""Row requests: all rows of a run, in whole rows."""

from dataclasses import replace
from typing import Any

from amaranth.hdl import Assert, Assume, Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from formal.proof import Proof
from formal.streams import goes_out, offers_in_time
from hw.bus.client import Request
from hw.bus.row_requests import RowRequests
from hw.config import PRESETS

_CONFIG = replace(PRESETS["tiny"], address_bits=16)
_MOST_ROWS, _MOST_BEATS = 7, 3
_SHIFT = exact_log2(_CONFIG.bus_bytes)


class _Properties(wiring.Component):
    """What is left of the run is told from its requests, and a request's rows from its beats."""

    def __init__(self, unit: Any):
        self._unit = unit(_CONFIG, _MOST_ROWS, _MOST_BEATS)
        super().__init__(
            {
                "start": In(1),
                "address": In(_CONFIG.address_bits),
                "rows": In(range(_MOST_ROWS + 1)),
                "row_beats": In(range(_MOST_BEATS + 1)),
                "request": Out(stream.Signature(Request(_CONFIG))),
                "reached": Out(3),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        goes_out(m, unit.request, self.request)
        address, beats = Signal.like(self.address), Signal.like(self.row_beats)
        left, rows = Signal.like(self.rows), Signal.like(self.rows)
        m.d.comb += [
            unit.start.eq(self.start),
            unit.address.eq(self.address),
            unit.rows.eq(self.rows),
            unit.row_beats.eq(self.row_beats),
            Assume(~(self.start & unit.busy)),
            Assume(self.row_beats != 0),
            Assert(unit.busy == (left != 0)),
        ]
        asked = unit.request.payload
        for power in range(3):
            with m.If(asked.beats == beats << power):
                m.d.comb += rows.eq(1 << power)
        with m.If(unit.request.valid):
            m.d.comb += [
                Assert(asked.address == address),
                Assert((rows != 0) & (rows <= left)),
                Assert((left < 4) | (rows == 4)),
            ]
        taken = unit.request.valid & unit.request.ready
        with m.If(self.start):
            m.d.sync += [address.eq(self.address), left.eq(self.rows), beats.eq(self.row_beats)]
        with m.Elif(taken):
            m.d.sync += [address.eq(address + (asked.beats << _SHIFT)), left.eq(left - rows)]
        offers_in_time(m, unit.request, left, unit.latency - 1)
        m.d.comb += self.reached.eq(
            Cat(
                taken & (left == _MOST_ROWS),
                taken & (left == 1) & (beats == 3),
                taken & (rows == 2),
            )
        )
        return m


PROOF = Proof(
    RowRequests,
    f"runs of 0 to {_MOST_ROWS} rows of 1 to {_MOST_BEATS} beats: requests of whole rows, 4 at a"
    " time while there are, that lie one after another from the run's begin to its end, each within"
    " the latency; busy until the last; offers stay",
    _Properties,
    (
        ("batch <= remaining", "batch < remaining"),
        ("batch <= remaining", "(batch >> 1) <= remaining"),
        ("self._largest = min(", "self._largest = -1 + min("),
        ("remaining.eq(remaining - batch)", "remaining.eq(remaining - 1)"),
        ("request.beats << self._beat_shift", "request.beats"),
        ("request.beats.eq(request.beats >> 1)", "request.beats.eq(request.beats)"),
        ("batch.eq(batch >> 1)", "batch.eq(batch >> 2)"),
        ("self.row_beats << self._largest", "self.row_beats"),
        ("self.busy.eq(remaining != 0)", "self.busy.eq(remaining > 1)"),
    ),
    ("a run of the most rows", "a last row of the most beats", "two rows at once"),
)
