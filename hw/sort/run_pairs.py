"""Run pairs: which runs of a list in memory a pass of its merge sort joins."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.config import EngineConfig


def beat_bits(config: EngineConfig) -> int:
    """Bits of a number of beats, up to twice the longest list's: the stride of the last pass."""
    return (2 * config.list_beats).bit_length()


class RunPairs(wiring.Component):
    """The pairs of neighbouring runs that a pass merges, in order.

    Run r starts at beat r * ``stride`` and holds min(stride, keep) beats, or what the list has
    left there. Runs 2k and 2k + 1 become the run at 2k * stride, cut to ``keep`` beats.

    Ports: ``start`` In pulse; ``beats`` (of the list), ``stride`` (a power of two) and ``keep``
    In, from ``start`` to the last pair; ``pair`` Out stream of ``offset`` (of run 2k, in beats),
    ``a``, ``b`` (beats of runs 2k and 2k + 1; b may be 0), ``out`` (of the merged run), ``last``.

    A pair is offered 4 cycles after ``start``, or after the one before was taken: adders and
    comparisons take turns, since a pair is merged for longer than that.
    """

    def __init__(self, config: EngineConfig):
        bits = beat_bits(config)
        pair = data.StructLayout({"offset": bits, "a": bits, "b": bits, "out": bits, "last": 1})
        super().__init__(
            {
                "start": In(1),
                "beats": In(bits),
                "stride": In(bits),
                "keep": In(bits),
                "pair": Out(stream.Signature(pair)),
            }
        )

    class _State(enum.Enum):
        IDLE = 0
        LIMIT = 1
        SUM = 2
        CUT = 3
        OFFER = 4

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        state = Signal(self._State)
        pair = self.pair.payload
        run = Signal.like(self.stride)
        left_a = Signal.like(self.beats)
        left_b = Signal.like(self.beats)
        double = self.stride << 1

        m.d.comb += self.pair.valid.eq(state == self._State.OFFER)
        with m.Switch(state):
            with m.Case(self._State.IDLE), m.If(self.start):
                m.d.sync += [
                    run.eq(_lesser(self.stride, self.keep)),
                    left_a.eq(self.beats),
                    left_b.eq(_less(self.beats, self.stride)),
                    pair.offset.eq(0),
                    state.eq(self._State.LIMIT),
                ]
            with m.Case(self._State.LIMIT):
                m.d.sync += [
                    pair.a.eq(_lesser(run, left_a)),
                    pair.b.eq(_lesser(run, left_b)),
                    left_a.eq(_less(left_a, double)),
                    left_b.eq(_less(left_b, double)),
                    state.eq(self._State.SUM),
                ]
            with m.Case(self._State.SUM):
                m.d.sync += [
                    pair.out.eq(pair.a + pair.b),
                    pair.last.eq(left_a == 0),
                    state.eq(self._State.CUT),
                ]
            with m.Case(self._State.CUT):
                m.d.sync += [
                    pair.out.eq(_lesser(pair.out, self.keep)),
                    state.eq(self._State.OFFER),
                ]
            with m.Case(self._State.OFFER), m.If(self.pair.ready):
                m.d.sync += [
                    pair.offset.eq(pair.offset + double),
                    state.eq(Mux(pair.last, self._State.IDLE, self._State.LIMIT)),
                ]
        return m


def _lesser(left: Value, right: Value) -> Value:
    return Mux(left < right, left, right)


def _less(value: Value, by: Value) -> Value:
    """``value - by``, but at least 0."""
    return Mux(value < by, 0, value - by)
