"""Rounding of exact numbers to floats, from the definition of IEEE 754 alone."""

import math
from fractions import Fraction


def rounded(value: Fraction, fraction_bits: int, least_exponent: int, bias: int) -> float:
    """The nearest float, ties to even; an infinity from half a unit beyond the largest on.

    Args:
        value: of which 0 is +0.
        fraction_bits: of the format, without the leading one.
        least_exponent: of its normal numbers.
        bias: the largest exponent of its finite numbers.
    """
    if not value:
        return 0.0
    sign, size = (-1 if value < 0 else 1), abs(value)
    exponent = max(math.floor(math.log2(size.numerator) - math.log2(size.denominator)) - 1,
                   least_exponent)  # fmt: skip
    while Fraction(2) ** (exponent + 1) <= size:
        exponent += 1
    unit = Fraction(2) ** (exponent - fraction_bits)
    nearest = round(size / unit) * unit
    if nearest >= Fraction(2) ** (bias + 1):
        return sign * math.inf
    return sign * float(nearest)


def to_float32(value: Fraction) -> float:
    """The nearest float32."""
    return rounded(value, 23, -126, 127)
