"""Quantizer: a lane's level is that of the division, rounded half up."""

from typing import Any

from amaranth.hdl import Assert, Assume, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from formal.proof import Proof
from formal.windows import ago, no_reset
from hw.config import LARGEST_LEVEL, LEVEL_BITS, PRESETS, VALUE_BITS, EngineConfig
from hw.quantize.fixed_point import exponent_bits
from hw.quantize.quantizer import QuantizerLane

_CONFIG = PRESETS["tiny"]
_SPAN_BITS = 8


class _Difference(wiring.Component):
    """In place of the difference of floating-point values: that of integers.

    The real one is proven in `formal.quantize.fixed_point`.
    """

    def __init__(self, config: EngineConfig):
        super().__init__(
            {
                "upper": In(VALUE_BITS),
                "lower": In(VALUE_BITS),
                "exponent": In(exponent_bits(config)),
                "difference": Out(_SPAN_BITS),
            }
        )

    @staticmethod
    def latency(config: EngineConfig) -> int:
        """As that of FP16 values."""
        return 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.difference.eq(ago(m, self.upper - self.lower, 2))
        return m


class _Properties(wiring.Component):
    """Values not below the low one, and not farther from it than the span."""

    def __init__(self, unit: Any):
        self._unit = unit(_CONFIG)
        super().__init__(
            {
                "value": In(_SPAN_BITS),
                "low": In(_SPAN_BITS),
                "span": In(_SPAN_BITS),
                "reached": Out(2),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        no_reset(m)
        wait = _Difference.latency(_CONFIG)
        difference = Signal(_SPAN_BITS)
        m.d.comb += [
            difference.eq(self.value - self.low),
            unit.value.eq(self.value),
            unit.low.eq(self.low),
            unit.span.eq(ago(m, self.span, wait)),
            Assume(self.low <= self.value),
            Assume(difference <= self.span),
        ]
        latency = wait + _LATENCY
        difference, span = ago(m, difference, latency), ago(m, self.span, latency)
        dividend = 2 * LARGEST_LEVEL * difference + span
        level = Signal(LEVEL_BITS)
        for least in range(1, LARGEST_LEVEL + 1):
            with m.If(dividend >= 2 * least * span):
                m.d.comb += level.eq(least)
        m.d.comb += [
            Assert(unit.level == Mux(span == 0, 0, level)),
            self.reached.eq(
                Cat(
                    (unit.level == LARGEST_LEVEL) & (difference != span),
                    (span != 0) & (dividend == 2 * span * unit.level),
                )
            ),
        ]
        return m


_LATENCY = QuantizerLane.latency(_CONFIG) - QuantizerLane.span_cycle(_CONFIG)
PROOF = Proof(
    QuantizerLane,
    f"spans and differences of {_SPAN_BITS} bits, all of them: the level is the quotient, rounded"
    " half up, and 0 where the span is 0; one a cycle",
    _Properties,
    (
        ("Mux(is_zero, 0, level)", "level"),
        ("~doubled.as_signed()", "doubled.as_signed()"),
        ("fits = ~doubled[-1]", "fits = doubled[-1]"),
        ("level = Cat(~changed[-1], level)", "level = Cat(changed[-1], level)"),
        ("Cat(Const(0, LEVEL_BITS), doubled)", "Cat(Const(0, LEVEL_BITS - 1), doubled)"),
        ('trail(m, span, 1, f"span_of_{bit + 1}")', "span"),
    ),
    ("the highest level below the span", "a tie"),
    window=QuantizerLane.latency(_CONFIG),
    instead={
        "SPAN_BITS": _SPAN_BITS, "_REACH": _SPAN_BITS + 1, "FixedPointDifference": _Difference,
    },
    slow=True,
)  # fmt: skip
