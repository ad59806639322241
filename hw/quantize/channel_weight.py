"""Channel weight: the square of a span, relative to the largest, by serial arithmetic."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.config import EngineConfig
from hw.quantize.fixed_point import SPAN_BITS

_DIGITS = 16
"""Significant bits of the largest span that weights are computed from."""


class ChannelWeight(wiring.Component):
    """``w = (2 W r^2 + m^2) div (2 m^2)``, W the largest weight: W (r / m)^2, rounded half up.

    m and r are the leading 16 bits of the largest span and those of a span at the same place
    (docs/definition.md, 'Quantise'). Where the largest span is 0 every weight is 0.

    Ports: ``load`` In pulse, while no weight is under way and no span is offered: takes ``largest``
    In; ``span`` In stream, none above ``largest``; ``weight`` Out stream.

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
        """Cycles from a span to its weight: 16 of the square, one a bit of the quotient, and 3."""
        return _DIGITS + self._weight_bits + 3

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        bits = self._weight_bits
        largest = Signal(SPAN_BITS)
        shift = Signal(range(SPAN_BITS - _DIGITS + 1))
        loading = Signal()

        # The square is the sum of the shifted multiplicand over the multiplier's bits.
        multiplier, multiplicand = Signal(_DIGITS), Signal(2 * _DIGITS)
        square, digit = Signal(2 * _DIGITS), Signal(range(_DIGITS))

        def begin_square(value: Value) -> list[Any]:
            return [multiplier.eq(value), multiplicand.eq(value), square.eq(0), digit.eq(0)]

        # m^2; the quotient's bits come out at the top as the numerator's are taken in below.
        unit = Signal(2 * _DIGITS)
        numerator = Signal(2 * _DIGITS + bits + 1)
        remainder, low = numerator[bits:], numerator[:bits]
        doubled = Cat(low[-1], remainder)
        trial = Signal(len(doubled) + 1)
        fits = ~trial[-1]
        step = Signal(range(bits + 1))
        m.d.comb += trial.eq(doubled - (unit << 1))

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.span.ready.eq(1)
                with m.If(self.load):
                    m.d.sync += [largest.eq(self.largest), shift.eq(0), loading.eq(1)]
                    m.next = "NORMALIZE"
                with m.Elif(self.span.valid):
                    m.d.sync += begin_square((self.span.payload >> shift)[:_DIGITS])
                    m.next = "SQUARE"
            with m.State("NORMALIZE"):
                with m.If(largest[_DIGITS:].any()):
                    m.d.sync += [largest.eq(largest >> 1), shift.eq(shift + 1)]
                with m.Else():
                    m.d.sync += begin_square(largest[:_DIGITS])
                    m.next = "SQUARE"
            with m.State("SQUARE"):
                m.d.sync += [
                    square.eq(square + Mux(multiplier[0], multiplicand, 0)),
                    multiplier.eq(multiplier >> 1),
                    multiplicand.eq(multiplicand << 1),
                    digit.eq(digit + 1),
                ]
                with m.If(digit == _DIGITS - 1):
                    m.next = "SCALE"
            with m.State("SCALE"):
                # 2 W r^2 with W = 2^bits - 1; 2 W r^2 + m^2 < 2^bits * 2 m^2 fits the numerator.
                m.d.sync += [
                    loading.eq(0),
                    numerator.eq((square << bits + 1) - (square << 1)),
                    step.eq(0),
                ]
                m.next = "ROUND"
                with m.If(loading):
                    m.d.sync += unit.eq(square)
                    m.next = "IDLE"
            with m.State("ROUND"):
                m.d.sync += numerator.eq(numerator + unit)
                m.next = "DIVIDE"
            with m.State("DIVIDE"):
                m.d.sync += [
                    numerator.eq(Cat(fits, low[:-1], Mux(fits, trial, doubled)[: len(remainder)])),
                    step.eq(step + 1),
                ]
                with m.If(step == bits - 1):
                    m.next = "WEIGHT"
            with m.State("WEIGHT"):
                m.d.comb += [
                    self.weight.payload.eq(Mux(unit.any(), low, 0)),
                    self.weight.valid.eq(1),
                ]
                with m.If(self.weight.ready):
                    m.next = "IDLE"
        return m
