"""Fixed point: order keys of all values, and differences of all pairs."""

from dataclasses import replace
from typing import Any

from amaranth.hdl import Assert, Assume, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from formal.proof import Proof
from formal.windows import ago, no_reset
from hw.config import FIXED_BITS, PRESETS, VALUE_BITS, EngineConfig
from hw.quantize.fixed_point import (
    SPAN_BITS,
    FixedPointDifference,
    exponent_bits,
    key_value,
    order_key,
)

_FP16 = PRESETS["tiny"]
_BF16 = replace(_FP16, token_format="bf16")
_MAGNITUDE = (1 << VALUE_BITS - 1) - 1


def _number(value: Value) -> Value:
    """A number that compares as the floating-point value does: its magnitude with its sign."""
    magnitude = value & _MAGNITUDE
    return Mux(value[-1], -magnitude, magnitude)


class _Keys(wiring.Component):
    """Two values, of either format: both are ordered by sign and magnitude."""

    def __init__(self, unit: Any):
        self._unit = unit
        super().__init__({"left": In(VALUE_BITS), "right": In(VALUE_BITS), "reached": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        left, right = _number(self.left), _number(self.right)
        left_key, right_key = self._unit(self.left), self._unit(self.right)
        m.d.comb += [
            Assert((left_key < right_key) == (left < right)),
            Assert((left_key == right_key) == (left == right)),
            self.reached.eq((self.left != self.right) & (left_key == right_key)),
        ]
        return m


class _Values(wiring.Component):
    """A value, and what its key is turned back to."""

    def __init__(self, unit: Any):
        self._unit = unit
        super().__init__({"value": In(VALUE_BITS), "reached": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        back = self._unit(order_key(self.value))
        zero = (self.value & _MAGNITUDE) == 0
        m.d.comb += [
            Assert(back == Mux(zero, 0, self.value)),
            self.reached.eq(self.value != back),
        ]
        return m


class _Differences(wiring.Component):
    """Two finite values, the lower one not above the upper, and an exponent that is enough."""

    def __init__(self, unit: Any, config: EngineConfig):
        self._unit = unit(config)
        self._config = config
        super().__init__(
            {
                "upper": In(VALUE_BITS),
                "lower": In(VALUE_BITS),
                "exponent": In(exponent_bits(config)),
                "reached": Out(2),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        no_reset(m)
        upper, lower = self._fixed(m, self.upper, "upper"), self._fixed(m, self.lower, "lower")
        m.d.comb += [
            unit.upper.eq(self.upper),
            unit.lower.eq(self.lower),
            unit.exponent.eq(self.exponent),
            Assume(_number(self.lower) <= _number(self.upper)),
        ]
        due = Signal(SPAN_BITS)
        m.d.comb += due.eq(upper - lower)
        m.d.comb += Assert(unit.difference == ago(m, due, unit.latency(self._config)))
        m.d.comb += self.reached[0].eq(self.upper[-1] & (unit.difference != 0))
        m.d.comb += self.reached[1].eq(unit.difference[-1])
        return m

    def _fixed(self, m: Module, value: Value, name: str) -> Value:
        """A finite value in units of the exponent, rounded toward zero."""
        exponent_width = exponent_bits(self._config)
        fraction_width = VALUE_BITS - 1 - exponent_width
        fraction, field = value[:fraction_width], value[fraction_width : VALUE_BITS - 1]
        exponent = Mux(field == 0, 1, field)
        significand = Signal(fraction_width + 1, name=f"{name}_significand")
        m.d.comb += significand.eq(fraction + ((field != 0) << fraction_width))
        fixed = Signal(signed(SPAN_BITS + 1), name=f"{name}_fixed")
        magnitude = Signal(FIXED_BITS, name=f"{name}_fixed_magnitude")
        m.d.comb += Assume(~field.all())
        if self._config.token_format == "fp16":
            m.d.comb += magnitude.eq(significand << (exponent - 1)[:exponent_width])
        else:
            largest = significand << (FIXED_BITS - 1 - fraction_width)
            m.d.comb += Assume(
                (exponent <= self.exponent) | (_number(self.lower) == _number(self.upper))
            )
            m.d.comb += magnitude.eq(largest >> (self.exponent - exponent)[:exponent_width])
        m.d.comb += fixed.eq(Mux(value[-1], -magnitude, magnitude))
        return fixed


_BREAKS = (
    ("self.upper[_SIGN], wait", "self.lower[_SIGN], wait"),
    ("carry.eq(both_negative | ~lower_negative)", "carry.eq(both_negative)"),
    ("^ both_negative.replicate", "^ lower_negative.replicate"),
    ("normal = value[fraction_bits:_SIGN].any()", "normal = Const(1)"),
    ("field | (field == 0)", "field"),
)
_REACHED = ("two negative values that differ", "a difference of the largest values")

KEYS = Proof(
    order_key,
    f"all pairs of {VALUE_BITS}-bit values: their keys compare as they do, and -0 equals +0",
    _Keys,
    (
        ("value[_SIGN] & value[:_SIGN].any()", "value[_SIGN]"),
        ("magnitude ^ negative.replicate(_SIGN)", "magnitude"),
        ("negative.replicate(_SIGN), ~negative", "negative.replicate(_SIGN), negative"),
    ),
    ("both zeros have one key",),
)
VALUES = Proof(
    key_value,
    f"all {VALUE_BITS}-bit values come back from their keys, -0 as +0",
    _Values,
    (
        ("(~key[_SIGN]).replicate(_SIGN)", "key[_SIGN].replicate(_SIGN)"),
        ("replicate(_SIGN), ~key[_SIGN]", "replicate(_SIGN), key[_SIGN]"),
    ),
    ("-0",),
)
FP16 = Proof(
    FixedPointDifference,
    "all pairs of finite FP16 values: the exact difference",
    lambda unit: _Differences(unit, _FP16),
    (*_BREAKS, ("(significand << exponent)[1:]", "(significand << exponent)[2:]")),
    _REACHED,
    window=FixedPointDifference.latency(_FP16),
)
BF16 = Proof(
    FixedPointDifference,
    "all pairs of finite BF16 values, every exponent that is enough for both: the difference of"
    " what is left of them in fixed point, rounded toward zero",
    lambda unit: _Differences(unit, _BF16),
    (*_BREAKS, ("FIXED_BITS - fraction_bits - 1", "FIXED_BITS - fraction_bits - 2")),
    _REACHED,
    window=FixedPointDifference.latency(_BF16),
)
