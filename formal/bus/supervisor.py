"""Supervisor: each job ends once, and a job that is given up ends with the bus at rest."""

from typing import Any

from amaranth.hdl import Assert, Assume, Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from formal.proof import Proof
from hw.bus.supervisor import Supervisor

_LIMIT_BITS = 3


class _Properties(wiring.Component):
    """A start comes while no job runs, all else at any time; the limit stays while one runs."""

    def __init__(self, unit: Any):
        self._unit = unit()
        inputs = ("start", "done", "bus_error", "abort", "transfer", "quiet")
        super().__init__(
            {**dict.fromkeys(inputs, In(1)), "limit": In(_LIMIT_BITS), "reached": Out(4)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        for name in ("start", "done", "bus_error", "abort", "transfer", "quiet", "limit"):
            m.d.comb += getattr(unit, name).eq(getattr(self, name))
        running = Signal()
        gives_up = Signal()  # For one of the three reasons, in a job that has not been given up.
        limit = Signal(_LIMIT_BITS)
        silent = Signal(_LIMIT_BITS + 1)  # Cycles of the job since the last transfer.
        was_quiet, was_stopped = Signal(), Signal()
        given_up = Signal()
        m.d.sync += [limit.eq(self.limit), was_quiet.eq(self.quiet), was_stopped.eq(unit.stop)]
        bites = running & (self.limit != 0) & (silent + 1 == self.limit) & ~self.transfer
        m.d.comb += [
            Assume(~self.start | ~running),
            Assume(~running | (self.limit == limit)),
            gives_up.eq(
                running & ~unit.stop & ~self.done & (self.bus_error | self.abort | unit.alarm)
            ),
            Assert(unit.alarm == (bites & ~unit.timed_out)),
            # One end a job, with its done or its flush, and none without a job.
            Assert(~unit.ended | running),
            Assert(unit.ended == ((running & ~unit.stop & self.done) | unit.flush)),
            Assert(unit.stop == given_up),
            Assert(unit.flush == (given_up & was_stopped & was_quiet)),
        ]
        with m.If(self.start & ~running):
            m.d.sync += [running.eq(1), silent.eq(0)]
        with m.Elif(self.transfer):
            m.d.sync += silent.eq(0)
        with m.Elif(silent != self.limit):
            m.d.sync += silent.eq(silent + 1)
        with m.If(unit.ended):
            m.d.sync += running.eq(0)
        with m.If(gives_up):
            m.d.sync += given_up.eq(1)
        with m.If(unit.flush):
            m.d.sync += given_up.eq(0)
        aborted = Signal()
        with m.If(self.start & ~running):
            m.d.sync += aborted.eq(0)
        with m.Elif(gives_up):
            m.d.sync += aborted.eq(self.abort)
        m.d.comb += [
            Assert(unit.aborted == aborted),
            self.reached.eq(
                Cat(
                    unit.flush & unit.aborted,
                    unit.flush & unit.timed_out & ~unit.aborted,
                    unit.alarm & unit.stop,
                    unit.ended & ~unit.flush,
                )
            ),
        ]
        return m


PROOF = Proof(
    Supervisor,
    "a job ends once: with its done, or, after an error, an abort or the watchdog, stopped from the"
    " next cycle on until the bus was quiet; the watchdog bites once, after as many cycles without"
    f" a transfer as its limit says (of {_LIMIT_BITS} bits here)",
    _Properties,
    (
        ("left == 1", "left == 2"),
        ("& ~self.timed_out", ""),
        ("self.start | self.transfer", "self.transfer"),
        ("self.start | self.transfer", "self.start"),
        ("with m.Elif(left != 0)", "with m.Else()"),
        ("| self.flush),", "),"),
        ("m.If(self.quiet)", "m.If(1)"),
        ("m.If(self.quiet)", "m.If(0)"),
        ("self.bus_error | self.abort", "self.abort"),
        ("self.bus_error | self.abort", "self.bus_error"),
        ("| self.abort | bites", "| self.abort"),
        ("self.ended.eq(self.done)", "self.ended.eq(0)"),
        ("self.aborted.eq(self.abort)", "self.aborted.eq(1)"),
        ("self.aborted.eq(0), ", ""),
    ),
    ("a job that was aborted", "one that memory's silence ended", "an alarm while stopped",
     "one that ended by itself"),
    instead={"WATCHDOG_BITS": _LIMIT_BITS},
)  # fmt: skip
