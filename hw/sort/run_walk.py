"""Run walk: where the runs of a list in memory lie that a pass of its merge sort joins."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.config import EngineConfig


def beat_bits(config: EngineConfig) -> int:
    """Bits of a number of beats, up to twice the longest list's: the stride of the last pass."""
    return (2 * config.list_beats).bit_length()


class RunWalk(wiring.Component):
    """The runs of a list, in order and in pairs: an even one and the odd one that follows it.

    Run r starts ``stride`` beats behind the one before and holds ``limit`` beats, or what the list
    has left there. A list that ends with an even run is followed by an empty one.

    Ports: ``start`` In pulse, with it ``address`` (of the list, in bytes) and ``beats`` (of the
    list, at least 1) In; ``stride`` (a power of two) and ``limit`` (at most the stride) In, from
    the next cycle to the last run; ``run`` Out stream of ``address`` (of the run, in bytes),
    ``beats``, ``odd``, and ``last`` (of the list).

    A run is offered 2 cycles after ``start``, or after the one before was taken.
    """

    pace = 2

    def __init__(self, config: EngineConfig):
        self._beat_shift = exact_log2(config.bus_bytes)
        bits = beat_bits(config)
        run = data.StructLayout(
            {"address": config.address_bits, "beats": bits, "odd": 1, "last": 1}
        )
        super().__init__(
            {
                "start": In(1),
                "address": In(config.address_bits),
                "beats": In(bits),
                "stride": In(bits),
                "limit": In(bits),
                "run": Out(stream.Signature(run)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        run = self.run.payload
        left = Signal.like(self.beats)  # Beats of the list behind the run that is offered.
        measure = Signal()  # How long the run is, before it is offered.
        rest = left - self.stride
        m.d.comb += run.last.eq(run.odd & (left == 0))
        with m.If(self.start):
            m.d.sync += [
                run.address.eq(self.address),
                run.odd.eq(0),
                left.eq(self.beats),
                measure.eq(1),
            ]
        with m.Elif(measure):
            m.d.sync += [
                run.beats.eq(Mux(left < self.limit, left, self.limit)),
                left.eq(Mux(rest < 0, 0, rest)),
                measure.eq(0),
                self.run.valid.eq(1),
            ]
        with m.Elif(self.run.valid & self.run.ready):
            m.d.sync += [
                run.address.eq(run.address + (self.stride << self._beat_shift)),
                run.odd.eq(~run.odd),
                measure.eq(~run.last),
                self.run.valid.eq(0),
            ]
        return m
