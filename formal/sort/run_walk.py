"""Run walk: the runs of a list, none left out."""

from dataclasses import replace
from typing import Any

from amaranth.hdl import Assert, Assume, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from amaranth.utils import exact_log2

from formal.proof import Proof
from formal.streams import goes_out
from hw.config import PRESETS
from hw.sort.run_walk import RunWalk

_CONFIG = replace(PRESETS["tiny"], address_bits=16)
_SHIFT = exact_log2(_CONFIG.bus_bytes)
_MOST = 12
"""Beats of a list."""


class _Properties(wiring.Component):
    """What is left of the list is told from the runs that were taken."""

    def __init__(self, unit: Any):
        self._unit = unit(_CONFIG)
        walk = self._unit.signature.members
        super().__init__(
            {
                **{name: walk[name] for name in ("start", "address", "beats", "stride", "limit")},
                "run": Out(walk["run"].signature),
                "reached": Out(3),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        goes_out(m, unit.run, self.run)
        sizes = Cat(self.stride, self.limit)
        before = Signal.like(sizes)
        address, left = Signal.like(self.address), Signal(range(-_MOST, _MOST + 1))
        odd, walks, age = Signal(), Signal(), Signal(2)
        m.d.sync += before.eq(sizes)
        m.d.comb += [
            unit.start.eq(self.start),
            unit.address.eq(self.address),
            unit.beats.eq(self.beats),
            unit.stride.eq(self.stride),
            unit.limit.eq(self.limit),
            Assume(~(self.start & walks)),
            Assume((self.beats >= 1) & (self.beats <= _MOST)),
            Assume(Cat(self.stride == 1 << power for power in range(4)).any()),
            Assume((self.limit >= 1) & (self.limit <= self.stride)),
            Assume(~walks | (age == 0) | (sizes == before)),
        ]
        run, taken = unit.run.payload, unit.run.valid & unit.run.ready
        rest = Mux(left < 0, 0, left)
        last = odd & (left <= self.stride)
        with m.If(self.start):
            m.d.sync += [
                address.eq(self.address), left.eq(self.beats), odd.eq(0), walks.eq(1), age.eq(0),
            ]  # fmt: skip
        with m.Elif(taken):
            m.d.sync += [
                address.eq(address + (self.stride << _SHIFT)),
                left.eq(Mux(left > self.stride, left - self.stride, 0)),
                odd.eq(~odd),
                walks.eq(~last),
                age.eq(1),
            ]
        with m.Elif(age != 3):
            m.d.sync += age.eq(age + 1)
        with m.If(unit.run.valid):
            m.d.comb += [
                Assert(walks),
                Assert(run.address == address),
                Assert(run.beats == Mux(rest < self.limit, rest, self.limit)),
                Assert(run.odd == odd),
                Assert(run.last == last),
            ]
        m.d.comb += [
            Assert(~walks | unit.run.valid | (age < 2)),
            self.reached.eq(
                Cat(
                    taken & run.last & (run.beats == 0), taken & run.last & (run.beats == 2),
                    taken & (rest > self.limit) & (self.limit < self.stride),
                )
            ),
        ]  # fmt: skip
        return m


PROOF = Proof(
    RunWalk,
    f"lists of 1 to {_MOST} beats, strides of 1 to 8 and every limit: every run once, in order,"
    " with its place, its beats and its marks, within the pace; an even last one is followed by an"
    " empty one; offers stay",
    _Properties,
    (
        ("Mux(left < self.limit, left, self.limit)", "self.limit"),
        ("Mux(rest < 0, 0, rest)", "rest"),
        ("rest = left - self.stride", "rest = left - self.limit"),
        ("run.odd & (left == 0)", "(left == 0)"),
        ("self.stride << self._beat_shift", "self.limit << self._beat_shift"),
        ("run.odd.eq(~run.odd)", "run.odd.eq(run.odd)"),
        ("measure.eq(~run.last)", "measure.eq(1)"),
    ),
    ("an empty last run", "a last run of two beats", "a run that is cut"),
)
