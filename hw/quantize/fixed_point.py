"""Fixed point: 16-bit floating-point values as order keys, and their exact differences."""

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.config import FIXED_BITS, VALUE_BITS, EngineConfig
from hw.quantize.fast_sum import fast_sum
from hw.quantize.lanes import trail

SPAN_BITS = FIXED_BITS + 1
"""Bits of the difference of two values of either sign."""

_SIGN = VALUE_BITS - 1
_EXPONENT_BITS = {"fp16": 5, "bf16": 8}
LARGEST_FP16_EXPONENT = 30
"""The biased exponent with which the unit is 2^-24."""


def exponent_bits(config: EngineConfig) -> int:
    """Bits of the exponent field of a token value."""
    return _EXPONENT_BITS[config.token_format]


def exponent_of(config: EngineConfig, value: Value) -> Value:
    """The biased exponent of a value; zero and subnormals have that of the least normal, 1."""
    field = value[_SIGN - exponent_bits(config) : _SIGN]
    return field | (field == 0)


def is_finite(config: EngineConfig, value: Value) -> Value:
    """0 for NaN and the infinities."""
    return ~value[_SIGN - exponent_bits(config) : _SIGN].all()


def order_key(value: Value) -> Value:
    """16 bits that compare as unsigned integers as the finite values do; -0 equals +0."""
    magnitude, negative = value[:_SIGN], value[_SIGN] & value[:_SIGN].any()
    return Cat(magnitude ^ negative.replicate(_SIGN), ~negative)


def key_value(key: Value) -> Value:
    """The value of an `order_key`; -0 became +0."""
    return Cat(key[:_SIGN] ^ (~key[_SIGN]).replicate(_SIGN), ~key[_SIGN])


class FixedPointDifference(wiring.Component):
    """``upper - lower``, each first put into fixed point (docs/definition.md, 'Quantise').

    Ports: ``upper``, ``lower`` In 16-bit values, lower <= upper; ``exponent`` In: E as a biased
    exponent, for a unit of 2^(E - 39), in which values have 40 bits of magnitude, rounded toward
    zero. It is at least those of both values; where upper equals lower any E does. FP16's unit is
    2^-24, whatever E. ``difference`` Out, SPAN_BITS, on cycle `latency`. One pair a cycle, no
    back-pressure.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "upper": In(VALUE_BITS),
                "lower": In(VALUE_BITS),
                "exponent": In(exponent_bits(config)),
                "difference": Out(SPAN_BITS),
            }
        )

    @staticmethod
    def latency(config: EngineConfig) -> int:
        """Cycles from a pair to its difference; BF16 takes one more, to find the shifts."""
        return 2 if config.token_format == "fp16" else 3

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        # As lower <= upper, a magnitude is subtracted in three cases: upper's where both are
        # negative, and lower's where it is not. An upper of -0 over a lower of +0 is such a case.
        wait = self.latency(self._config) - 2
        lower_negative = trail(m, self.lower[_SIGN], wait, "lower_negative")
        both_negative = trail(m, self.upper[_SIGN], wait, "upper_negative") & lower_negative
        term = Signal(SPAN_BITS, reset_less=True)
        other = Signal(SPAN_BITS, reset_less=True)
        carry = Signal(reset_less=True)
        m.d.sync += [
            term.eq(self._magnitude(m, self.upper, "upper") ^ both_negative.replicate(SPAN_BITS)),
            other.eq(
                self._magnitude(m, self.lower, "lower") ^ (~lower_negative).replicate(SPAN_BITS)
            ),
            carry.eq(both_negative | ~lower_negative),
            self.difference.eq(fast_sum(m, term, other, carry, "sum")),
        ]
        return m

    def _magnitude(self, m: Module, value: Value, name: str) -> Value:
        """Magnitude in fixed point of ``value``, in SPAN_BITS; BF16's a cycle later."""
        config = self._config
        fraction_bits = _SIGN - exponent_bits(config)
        normal = value[fraction_bits:_SIGN].any()
        significand = Cat(value[:fraction_bits], normal)
        exponent = exponent_of(config, value)
        magnitude = Signal(SPAN_BITS, name=f"{name}_magnitude")
        if config.token_format == "fp16":
            # The least exponent is 1, where nothing is shifted.
            m.d.comb += magnitude.eq((significand << exponent)[1:])
        else:
            shift = trail(m, (self.exponent - exponent)[: len(exponent)], 1, f"{name}_shift")
            significand = trail(m, significand, 1, f"{name}_significand")
            aligned = Cat(Const(0, FIXED_BITS - fraction_bits - 1), significand)
            m.d.comb += magnitude.eq(aligned >> shift)
        return magnitude
