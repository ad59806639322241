"""Sequencer: what starts each stage, one at a time, to the end of the job."""

from typing import Any

from amaranth.hdl import Assert, Assume, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from formal.proof import Proof
from hw.job import DERIVE_CYCLES
from hw.sequencer import Sequencer

_STAGES = ("quantize", "initialize", "pair", "converge", "sort", "update", "resolve")
_INPUTS = ("bad_job", "nonfinite", "stop", "moved", "every_pair")


class _Properties(wiring.Component):
    """A stage is done, sooner or later, once it was started, and at no other time."""

    def __init__(self, unit: Any):
        self._unit = unit()
        super().__init__(
            {
                "start": In(1),
                "sort_channels": In(1),
                "dones": In(len(_STAGES)),
                **{name: In(1) for name in _INPUTS},
                "reached": Out(4),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        job, final, more, channels = Signal(), Signal(), Signal(), Signal()
        age = Signal(range(DERIVE_CYCLES + 3))
        runs = Signal(len(_STAGES))
        starts: dict[str, Any] = {}
        done: dict[str, Any] = {}
        for number, name in enumerate(_STAGES):
            starts[name] = getattr(unit, name).start
            done[name] = self.dones[number]
            m.d.comb += getattr(unit, name).done.eq(done[name])
            m.d.comb += Assume(~done[name] | runs[number])
        all_starts = Cat(starts.values())
        m.d.comb += [
            unit.run.start.eq(self.start),
            unit.sort_channels.start.eq(self.sort_channels),
            *(getattr(unit, name).eq(getattr(self, name)) for name in _INPUTS),
            Assume(~(self.start & job)),
            Assume(~self.sort_channels | (runs == 1)),
            Assume(~done["quantize"] | ~(channels | self.sort_channels)),
        ]
        derived = job & (age == DERIVE_CYCLES)
        ends = done["resolve"] | (done["quantize"] & self.nonfinite) | (derived & self.bad_job)
        ended = Signal()
        again = done["update"] & self.moved
        m.d.sync += [
            runs.eq((runs | all_starts) & ~self.dones | all_starts),
            job.eq((job | self.start) & ~unit.run.done),
            age.eq(Mux(self.start, 0, Mux(age == DERIVE_CYCLES + 1, age, age + 1))),
            ended.eq(ends),
            channels.eq((channels | self.sort_channels) & ~done["sort"]),
            final.eq(
                (final | (done["converge"] & self.stop) | (done["update"] & ~self.moved))
                & ~self.start
            ),
            more.eq((more & ~done["pair"]) | (again & ~self.every_pair)),
        ]
        sorted_ = done["sort"] & ~channels
        m.d.comb += [
            Assert(starts["quantize"] == (derived & ~self.bad_job)),
            Assert(starts["initialize"] == (done["quantize"] & ~self.nonfinite)),
            Assert(starts["pair"] == (done["initialize"] | (done["pair"] & more) | again)),
            Assert(starts["converge"] == (done["pair"] & ~more)),
            Assert(unit.paired == starts["converge"]),
            Assert(
                starts["sort"]
                == (self.sort_channels | done["converge"] | (done["update"] & ~self.moved))
            ),
            Assert(unit.sort_channels.done == (done["sort"] & channels)),
            Assert(starts["update"] == (sorted_ & ~final)),
            Assert(starts["resolve"] == (sorted_ & final)),
            Assert(unit.run.done == ended),
            # Never two at once, but for a quantiser that waits for its sort; and never none.
            Assert((runs & (runs - 1) == 0) | ((runs == 0b10001) & channels)),
            Assert(~job | runs.any() | ended | (age <= DERIVE_CYCLES)),
            Assert(job | ~runs.any()),
            self.reached.eq(
                Cat(unit.run.done & final, done["sort"] & channels, done["pair"] & more,
                    unit.run.done & ~final)
            ),
        ]  # fmt: skip
        return m


PROOF = Proof(
    Sequencer,
    "each stage is started by what the definition says and by nothing else, one at a time, the sort"
    " of channels inside quantise; while a job runs its sizes are derived or some stage runs, so it"
    " ends if they do; done comes once, a cycle after the last",
    _Properties,
    (
        ("derived == DERIVE_CYCLES", "derived == DERIVE_CYCLES - 1"),
        ("with m.If(self.bad_job)", "with m.If(0)"),
        ("self.quantize.done & self.nonfinite", "self.nonfinite"),
        ("self.converge.done & self.stop", "self.converge.done"),
        ("self.update.done & ~self.moved", "self.update.done & self.moved"),
        ("self.update.done & self.every_pair", "self.update.done & ~self.every_pair"),
        ("enter(Phase.RESOLVE, self.resolve)", "enter(Phase.RESOLVE)"),
        ("self.sort_channels.done.eq(self.sort.done)", "self.sort_channels.done.eq(1)"),
        ("enter(Phase.SORT_CHANNELS, self.sort)", "enter(Phase.SORT_GROUPS, self.sort)"),
        ("m.d.comb += self.run.done.eq(1)", "m.d.comb += self.run.done.eq(self.run.start)"),
    ),
    (
        "a job ends well", "channels are sorted", "the first pass of a pairing ends",
        "a job ends early",
    ),
)  # fmt: skip
