"""Channel weight: the square of a span, relative to the largest, by serial arithmetic."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.config import EngineConfig
from hw.quantize.fast_sum import fast_sum
from hw.quantize.fixed_point import SPAN_BITS

_DIGITS = 16
"""Significant bits of the largest span that weights are computed from."""


class ChannelWeight(wiring.Component):
    """``w = (2 W r^2 + m^2) div (2 m^2)``, W the largest weight: W (r / m)^2, rounded half up.

    m and r are the leading 16 bits of the largest span and those of a span at the same place
    (docs/definition.md, 'Quantise'). Where the largest span is 0 every weight is 0.

    Ports: ``load`` In pulse, while no weight is under way: takes ``largest`` In, which stays until
    the first span is taken; ``span`` In stream, none above ``largest``; ``weight`` Out stream.

    A weight is offered `latency` cycles after its span was taken, and the next span is taken the
    cycle after the weight's transfer at the earliest. The first span is taken at most
    `load_latency` cycles after ``load``.
    """

    load_latency = 1 + (SPAN_BITS - _DIGITS) + 1 + _DIGITS + 1

    def __init__(self, config: EngineConfig):
        self._weight_bits = config.weight_bits
        super().__init__(
            {
                "load": In(1),
                "largest": In(SPAN_BITS),
                "span": In(stream.Signature(SPAN_BITS)),
                "weight": Out(stream.Signature(config.weight_bits)),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from a span to its weight: 16 of the square, and three for each doubling."""
        return 1 + _DIGITS + 1 + 3 * (self._weight_bits + 1)

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        bits = self._weight_bits
        shift = Signal(range(SPAN_BITS - _DIGITS + 1))
        loading = Signal()
        digits = Signal(_DIGITS)
        m.d.comb += digits.eq(Mux(loading, self.largest, self.span.payload) >> shift)

        # The square grows at the top, as its bits below are settled and the multiplier's used up.
        factor = Signal(_DIGITS, reset_less=True)
        square = Signal(2 * _DIGITS, reset_less=True)
        count = Signal(range(max(_DIGITS, bits + 1)))
        product = square[_DIGITS:] + Mux(square[0], factor, 0)

        # With x = (r / m)^2 the weight is W x, rounded, and W x is what begins as 0 and is doubled
        # and gets x once for each bit of W. A last doubling, which adds none, tells how to round.
        # It is kept as ``whole`` + ``rest`` / m^2, with -m^2 <= rest < m^2. After a doubling that
        # takes two steps of m^2, up or down as the sign of the rest says.
        unit = Signal(2 * _DIGITS, reset_less=True)
        rest = Signal(2 * _DIGITS + 3, reset_less=True)
        whole = Signal(bits + 1, reset_less=True)
        doubling = Signal()
        last = count == bits
        down = ~rest[-1]
        addend = Signal(len(rest))
        with m.If(doubling):
            m.d.comb += addend.eq(Mux(last, 0, square))
        with m.Else():
            m.d.comb += addend.eq(Cat(unit, Const(0, 3)) ^ down.replicate(len(rest)))
        augend = Mux(doubling, rest << 1, rest)[: len(rest)]
        total = fast_sum(m, augend, addend, down & ~doubling, "total")

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.span.ready.eq(~self.load)
                m.d.sync += [factor.eq(digits), square.eq(digits), count.eq(0)]
                with m.If(self.load):
                    m.d.sync += [shift.eq(SPAN_BITS - _DIGITS), loading.eq(1)]
                    m.next = "NORMALIZE"
                with m.Elif(self.span.valid):
                    m.next = "SQUARE"
            with m.State("NORMALIZE"):
                m.d.sync += [factor.eq(digits), square.eq(digits), count.eq(0)]
                with m.If(digits[-1] | (shift == 0)):
                    m.next = "SQUARE"
                with m.Else():
                    m.d.sync += shift.eq(shift - 1)
            with m.State("SQUARE"):
                m.d.sync += [
                    square.eq(Cat(square[1:_DIGITS], product)),
                    count.eq(count + 1),
                ]
                with m.If(count == _DIGITS - 1):
                    m.next = "BEGIN"
            with m.State("BEGIN"):
                m.d.sync += [loading.eq(0), count.eq(0), rest.eq(0), whole.eq(0)]
                m.next = "DOUBLE"
                with m.If(loading):
                    m.d.sync += unit.eq(square)
                    m.next = "IDLE"
            with m.State("DOUBLE"):
                m.d.comb += doubling.eq(1)
                m.d.sync += [rest.eq(total), whole.eq(whole << 1)]
                m.next = "NEAR"
            for state, following in (("NEAR", "NEARER"), ("NEARER", "DOUBLE")):
                with m.State(state):
                    m.d.sync += [rest.eq(total), whole.eq(whole + Mux(down, 1, -1))]
                    m.next = following
                    if state == "NEARER":
                        m.d.sync += count.eq(count + 1)
                        with m.If(last):
                            m.next = "WEIGHT"
            with m.State("WEIGHT"):
                m.d.comb += [
                    self.weight.payload.eq(Mux(unit.any(), (whole + down) >> 1, 0)),
                    self.weight.valid.eq(1),
                ]
                with m.If(self.weight.ready):
                    m.next = "IDLE"
        return m
