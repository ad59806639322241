"""Terms: what is added, taken apart so far that it need only be aligned."""

from amaranth.hdl import Cat, Value
from amaranth.lib import data

SUM_BITS = 32
"""A sum is a float32."""
FRACTION_BITS = 23
BIAS = 127
INFINITE_EXPONENT = 255
"""The biased exponent of infinities and NaN."""

TERM = data.StructLayout(
    {
        "significand": FRACTION_BITS + 1,
        "exponent": 8,
        "sign": 1,
        "nan": 1,
    }
)
"""(-1)^sign * significand * 2^(exponent - 150), where the exponent is 1 to 254.

The significand's leading bit is 1, or the exponent is 1, as for subnormals and 0: so the larger of
two terms is the one whose exponent and significand, as one number, are. An infinite one has the
`INFINITE_EXPONENT` and the significand of a power of two. Of what is ``nan`` nothing else counts.
"""


def term_of(value: Value) -> dict[str, Value]:
    """The members of the `TERM` of a float32."""
    fraction, exponent = value[:FRACTION_BITS], value[FRACTION_BITS : SUM_BITS - 1]
    return {
        "significand": Cat(fraction, exponent.any()),
        "exponent": Cat(exponent[0] | ~exponent.any(), exponent[1:]),
        "sign": value[-1],
        "nan": exponent.all() & fraction.any(),
    }
