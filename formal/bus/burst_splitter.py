"""Burst splitter: the beats of the requests, in bursts as AXI allows them."""

from typing import Any

from amaranth.hdl import Assert, Assume, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from formal.backlog import Backlog
from formal.proof import Proof
from formal.streams import comes_in, goes_out, offers_in_time
from hw.bus.burst_splitter import Burst, BurstSplitter
from hw.bus.client import Request
from hw.config import PRESETS

_CONFIG = PRESETS["tiny"]
_SHIFT, _BURST = exact_log2(_CONFIG.bus_bytes), _CONFIG.burst_beats
_PAGE_BITS = 12
"""Of the address of a byte within 4 KiB."""
_MOST_BEATS, _SPACE_BITS = 7, 10
"""Of a request whose bursts are told apart, and the address bits in use: memory of 64 beats."""
_INSIDE = 4
"""Requests: two wait, one is cut, and the last burst of another is offered."""


class _Legal(wiring.Component):
    """Requests of any length, anywhere."""

    def __init__(self, unit: Any):
        self._unit = unit(_CONFIG, _BURST)
        super().__init__(
            {
                "request": In(stream.Signature(Request(_CONFIG))),
                "burst": Out(stream.Signature(Burst(_CONFIG))),
                "reached": Out(2),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        comes_in(m, self.request, unit.request)
        goes_out(m, unit.burst, self.burst)
        asked, burst = unit.request.payload, unit.burst.payload
        last = burst.address + (burst.length << _SHIFT)
        m.d.comb += [
            Assume(asked.beats != 0),
            Assume(asked.address[:_SHIFT] == 0),
            self.reached.eq(
                Cat(
                    unit.burst.valid & last[_SHIFT:_PAGE_BITS].all(),
                    unit.burst.valid & (burst.length == _BURST - 1),
                )
            ),
        ]
        with m.If(unit.burst.valid):
            m.d.comb += [
                Assert(burst.length < _BURST),
                Assert(burst.address[:_SHIFT] == 0),
                Assert(burst.address[_PAGE_BITS:] == last[_PAGE_BITS:]),
            ]
        return m


class _Whole(wiring.Component):
    """Requests wait beside the unit too, and bursts are cut from the first of them."""

    def __init__(self, unit: Any):
        self._unit = unit(_CONFIG, _BURST)
        super().__init__(
            {"request": In(stream.Signature(Request(_CONFIG))), "ready": In(1), "reached": Out(2)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        comes_in(m, self.request, unit.request)
        asked, burst = unit.request.payload, unit.burst.payload
        end = asked.address + (asked.beats << _SHIFT)
        m.d.comb += [
            unit.burst.ready.eq(self.ready),
            Assume((asked.beats != 0) & (asked.beats <= _MOST_BEATS)),
            Assume(asked.address[:_SHIFT] == 0),
            Assume(end < 1 << _SPACE_BITS),
        ]
        noted = data.StructLayout(
            {"address": _CONFIG.address_bits, "beats": range(_MOST_BEATS + 1)}
        )
        came, rest = Signal(noted), Signal(noted)
        backlog = Backlog(m, noted, _INSIDE)
        first, beats = backlog.first, burst.length + 1
        m.d.comb += [
            came.address.eq(asked.address),
            came.beats.eq(asked.beats),
            rest.address.eq(first.address + (beats << _SHIFT)),
            rest.beats.eq(first.beats - beats),
            Assert(unit.busy == backlog.some),
        ]
        with m.If(unit.burst.valid):
            m.d.comb += [
                Assert(backlog.some),
                Assert(burst.address == first.address),
                Assert(beats <= first.beats),
            ]
        left = unit.burst.valid & self.ready
        backlog.follow(
            unit.request.valid & unit.request.ready, came, left & (beats == first.beats),
            Mux(left, rest, first),
        )  # fmt: skip
        offers_in_time(m, unit.burst, backlog.count, BurstSplitter.latency - 1)
        m.d.comb += self.reached.eq(
            Cat(backlog.count == _INSIDE, left & (beats != first.beats) & (burst.length == 0))
        )
        return m


LEGAL = Proof(
    BurstSplitter,
    f"requests of any length and place: bursts have at most {_BURST} beats, all within 4 KiB;"
    " offers stay",
    _Legal,
    (
        ("~address[beat_shift:line_shift]", "address[beat_shift:line_shift]"),
        ("Mux(ends, left[:room_bits], room)", "left[:room_bits]"),
        ("Mux(ends, left[:room_bits], room)", "Mux(ends, left[:room_bits], room + 1)"),
        ("~self.burst.valid | self.burst.ready", "self.burst.ready | request.valid"),
    ),
    ("a burst ends with its 4 KiB", "a burst of the most beats"),
)
WHOLE = Proof(
    BurstSplitter,
    f"requests of 1 to {_MOST_BEATS} beats: the bursts of each are its beats, once and in order,"
    " and come after those of the request before; busy while beats are inside; a burst is offered"
    " at most three cycles after its request, or the burst before it",
    _Whole,
    (
        ("left[:room_bits] <= room", "left[:room_bits] < room"),
        ("left[room_bits:] == 0", "left[room_bits + 1 :] == 0"),
        ("left - room - 1", "left - room"),
        ("Mux(ends, left[:room_bits], room)", "room"),
        ("(line + 1)[: len(line)]", "line"),
        ("~active | (step & ends)", "~active | ends"),
        ("request.valid | active | self.burst.valid", "request.valid | active"),
        ("self.burst.valid.eq(active)", "self.burst.valid.eq(active & ~request.valid)"),
    ),
    ("as many requests as find a place", "a burst of one beat with more to come"),
    slow=True,
)
