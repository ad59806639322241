"""Fixed point: 16-bit floating-point values as order keys, and their exact differences."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.pipeline import delay
from hw.config import FIXED_BITS, VALUE_BITS, EngineConfig

SPAN_BITS = FIXED_BITS + 1
"""Bits of the difference of two values of either sign."""

_SIGN = VALUE_BITS - 1
_EXPONENT_BITS = {"fp16": 5, "bf16": 8}


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

    The unit is 2^(E - 39) for ``exponent`` E: 40 bits of magnitude, rounded toward zero. With the
    largest exponent of FP16 the unit is 2^-24 and nothing is rounded.

    Ports: ``upper``, ``lower`` In 16-bit values, lower <= upper; ``exponent`` In, E as a biased
    exponent, at least those of both values (where upper equals lower any E does);
    ``difference`` Out, SPAN_BITS, on cycle `latency`. One pair a cycle, no back-pressure.
    """

    latency = 3

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

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        # Cycles 0 and 1.
        upper, upper_negative = self._magnitude(m, self.upper, "upper")
        lower, lower_negative = self._magnitude(m, self.lower, "lower")
        # Cycle 2. As lower <= upper, values of one sign are subtracted, the larger magnitude first,
        # and of unlike signs added: one adder does either.
        both_negative = upper_negative & lower_negative
        subtract = ~(upper_negative ^ lower_negative)
        larger = Mux(both_negative, lower, upper)
        smaller = Cat(Mux(both_negative, upper, lower), Const(0, 1)) ^ subtract.replicate(SPAN_BITS)
        m.d.sync += self.difference.eq(larger + smaller + subtract)
        return m

    def _magnitude(self, m: Module, value: Value, name: str) -> tuple[Value, Value]:
        """Magnitude in fixed point and sign of ``value``, 2 cycles later."""
        # On cycle 0 the distance to E is found, on cycle 1 the significand is shifted by it.
        fraction_bits = _SIGN - exponent_bits(self._config)
        normal = value[fraction_bits:_SIGN].any()
        significand = delay(m, Cat(value[:fraction_bits], normal), 1, f"{name}_significand")
        shift = Signal(exponent_bits(self._config), name=f"{name}_shift")
        magnitude = Signal(FIXED_BITS, name=f"{name}_magnitude")
        aligned = Cat(Const(0, FIXED_BITS - fraction_bits - 1), significand)
        m.d.sync += [
            shift.eq(self.exponent - exponent_of(self._config, value)),
            magnitude.eq(aligned >> shift),
        ]
        return magnitude, delay(m, value[_SIGN], 2, f"{name}_negative")
