"""Limits: each lane's limit and whether it idles, of whatever the tables hold."""

from typing import Any

from amaranth.hdl import Assert, Assume, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from formal.proof import Proof
from formal.windows import ago, no_reset
from hw.config import PRESETS
from hw.pair.least_two import nearest
from hw.pair.limits import Limits
from hw.pair.src_rows import src_index

_CONFIG = PRESETS["tiny"]
_LANES = _CONFIG.src_lanes
_WAIT = 3
_WINDOW = Limits(_CONFIG, _WAIT).cycles + 3


class _Properties(wiring.Component):
    """One lane, any, is followed: what the tables hold of its src does not change."""

    def __init__(self, unit: Any):
        self._unit = unit(_CONFIG, _WAIT)
        super().__init__(
            {
                "start": In(1),
                "base": In(src_index(_CONFIG)),
                "first": In(1),
                "moved": In(1),
                "count": In(range(_CONFIG.resident_src + 1)),
                "lane": In(range(_LANES)),
                "second": In(_CONFIG.distance_bits),
                "bound": In(_CONFIG.distance_bits),
                "other_found": In(nearest(_CONFIG)),
                "other_bound": In(_CONFIG.distance_bits),
                "reached": Out(3),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        no_reset(m)
        given = Cat(self.base, self.first, self.moved, self.count)
        fixed = Cat(self.lane, self.second, self.bound)
        src = Signal(range(2 * len(src_index(_CONFIG))))
        m.d.comb += [
            unit.start.eq(self.start),
            unit.base.eq(self.base),
            unit.first.eq(self.first),
            unit.moved.eq(self.moved),
            unit.count.eq(self.count),
            src.eq(self.base + self.lane),
            Assume((given == ago(m, given, 1)) | ago(m, self.start, 1)),
            Assume(fixed == ago(m, fixed, 1)),
            Assume(self.base % _LANES == 0),
            unit.found.entry.eq(self.other_found),
            unit.bound.entry.eq(self.other_bound),
        ]
        asked = [ago(m, lookup.index, 1) for lookup in (unit.found, unit.bound)]
        with m.If(asked[0] == src):
            m.d.comb += unit.found.entry.second.eq(self.second)
        with m.If(asked[1] == src):
            m.d.comb += unit.bound.entry.eq(self.bound)

        starts = [ago(m, self.start, back) for back in range(_WINDOW + 1)]
        known = self.moved | ~self.first
        for back in range(1, _WINDOW + 1):
            with m.If(starts[back] & ~Cat(starts[1:back]).any()):
                m.d.comb += Assert(unit.valid == (known & (back >= unit.cycles)))
        least = Mux(self.bound < self.second, self.bound, self.second)
        due = Mux(self.first, self.bound, Mux(self.moved, least, self.second))
        holds = Cat(starts[unit.cycles :]).any() & ~Cat(starts[1 : unit.cycles]).any() & known
        with m.If(holds):
            m.d.comb += [
                Assert(unit.limit[self.lane] == due),
                Assert(unit.idle.bit_select(self.lane, 1) == (src >= self.count)),
            ]
        m.d.comb += self.reached.eq(
            Cat(
                holds & self.moved & ~self.first & (due == self.bound) & (due != self.second),
                holds & unit.idle.any() & ~unit.idle.all(),
                holds & starts[unit.cycles] & starts[unit.cycles + 2],
            )
        )
        return m


PROOF = Proof(
    Limits,
    f"{_LANES} lanes, whatever the tables hold: from the latency after the last start on and not"
    " before, where something is known, each lane has the least of what bounds its src, and idles"
    f" if it has none (seen for {_WINDOW} cycles from any state)",
    _Properties,
    (
        ("asking & ~self.start, 1", "asking, 1"),
        ("bound < second", "bound > second"),
        ("self.moved & (self.first |", "(self.first |"),
        ("index >= self.count", "index > self.count"),
        ("self.moved | ~self.first", "~self.first"),
        ("self.valid.eq(last)", "self.valid.eq(1)"),
        ("left.eq(self.wait)", "left.eq(self.wait - 1)"),
        ("asking.eq(0), self.valid.eq(0)", "self.valid.eq(0)"),
        ("self.idle[1:], idle", "idle, self.idle[:-1]"),
    ),
    ("a bound is the limit", "some lanes idle", "limits after a start that was cut short"),
    window=_WINDOW,
)
