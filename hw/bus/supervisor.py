"""Supervisor: how a job ends, and what becomes of the bus when it is given up."""

from amaranth.hdl import Module, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from hw.config import WATCHDOG_BITS


class _State(enum.Enum, shape=2):  # type: ignore[call-arg]
    IDLE = 0
    RUN = 1
    DRAIN = 2
    FLUSH = 3


class Supervisor(wiring.Component):
    """Ends a job when its stages are done, or gives it up and lets the bus come to rest first.

    A job is given up when memory answers with an error, when the host aborts it, and when for
    ``limit`` cycles nothing was transferred on the bus. Then nothing more is issued, what was
    issued is ended as AXI demands (``stop``), and once nothing is under way everything behind the
    bus is reset (``flush``). Only then has the job ended.

    Ports:
        ``start`` In pulse, while no job runs; ``done`` In pulse: the stages have ended their job.
        ``bus_error`` In, a level; ``abort`` In pulse, without effect while no job runs.
        ``limit`` In, of the watchdog, constant while a job runs; 0: it never bites. ``transfer``
            In: something was transferred on the bus.
        ``quiet`` In: nothing is under way on the bus.
        ``stop`` Out, a level; ``flush`` Out, a pulse in its last cycle; ``ended`` Out, a pulse,
            with the done of a job that ended by itself and with ``flush`` else.
        ``aborted``, ``timed_out`` Out: what has become of the job, from then to the next start.
        ``alarm`` Out, a pulse when the watchdog bites: memory that never answers keeps the job from
            its end for ever, but not the host from knowing.

    ``stop`` rises in the cycle after an error or an abort, and in the one after ``limit`` cycles
    without a transfer; ``flush`` comes in the cycle after one with ``stop`` and ``quiet``. The
    watchdog goes on while the bus comes to rest.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "done": In(1),
                "bus_error": In(1),
                "abort": In(1),
                "limit": In(WATCHDOG_BITS),
                "transfer": In(1),
                "quiet": In(1),
                "stop": Out(1),
                "flush": Out(1),
                "ended": Out(1),
                "aborted": Out(1),
                "timed_out": Out(1),
                "alarm": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        state = Signal(_State)
        left = Signal(WATCHDOG_BITS)
        bites = Signal()
        m.d.comb += [
            bites.eq((state != _State.IDLE) & (left == 1) & ~self.transfer & ~self.timed_out),
            self.alarm.eq(bites),
            self.stop.eq((state == _State.DRAIN) | self.flush),
            self.flush.eq(state == _State.FLUSH),
        ]
        with m.If(self.start | self.transfer):
            m.d.sync += left.eq(self.limit)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        with m.If(bites):
            m.d.sync += self.timed_out.eq(1)

        with m.Switch(state):
            with m.Case(_State.IDLE), m.If(self.start):
                m.d.sync += [state.eq(_State.RUN), self.aborted.eq(0), self.timed_out.eq(0)]
            with m.Case(_State.RUN):
                m.d.comb += self.ended.eq(self.done)
                with m.If(self.done):
                    m.d.sync += state.eq(_State.IDLE)
                with m.Elif(self.bus_error | self.abort | bites):
                    m.d.sync += [state.eq(_State.DRAIN), self.aborted.eq(self.abort)]
            with m.Case(_State.DRAIN), m.If(self.quiet):
                m.d.sync += state.eq(_State.FLUSH)
            with m.Case(_State.FLUSH):
                m.d.comb += self.ended.eq(1)
                m.d.sync += state.eq(_State.IDLE)
        return m
