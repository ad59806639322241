"""Function tables: parabolas that stand for 2^x, 1/x and the square root, a segment each."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import cache

from amaranth.lib import enum

UNIT_BITS = 30
"""Coefficients and results are in units of 2^-30."""
OFFSET_BITS = 20
"""Bits of an offset from a segment's middle, signed, in units of 2^-20 of the segment."""
NODE = Decimal(7) / 16
"""A parabola meets its function in the middle of a segment, and so many segments off it."""
SEGMENTS = 128
"""Segments of a function: 2^x on [0, 1) has the first 64, the others all."""
_PRECISION = 40


class Function(enum.Enum, shape=2):  # type: ignore[call-arg]
    """What a lane's last step does to a value."""

    NONE = 0
    EXP2 = 1
    RECIPROCAL = 2
    SQRT = 3


@dataclass(frozen=True)
class Segment:
    """A parabola: middle + slope * d + bend * d^2, d from -1/2 to 1/2 across the segment."""

    middle: int
    slope: int
    bend: int


@cache
def segments(function: Function) -> tuple[Segment, ...]:
    """All parabolas of a function.

    2^x on [0, 1), in 64 segments; 1/x on [1, 2), in 128; the square root on [1, 2) and on [2, 4),
    in 64 each.
    """
    return tuple(_fitted(function, start, width) for start, width in _spans(function))


def _spans(function: Function) -> Iterator[tuple[Decimal, Decimal]]:
    """Where each segment starts, and how wide it is."""
    if function is Function.EXP2:
        yield from ((Decimal(i) / 64, Decimal(1) / 64) for i in range(64))
    elif function is Function.RECIPROCAL:
        yield from ((1 + Decimal(i) / 128, Decimal(1) / 128) for i in range(128))
    else:
        for octave in (1, 2):
            width = Decimal(octave) / 64
            yield from ((octave + i * width, width) for i in range(64))


def _fitted(function: Function, start: Decimal, width: Decimal) -> Segment:
    with localcontext(prec=_PRECISION):
        low, middle, high = (
            _value(function, start + width * (Decimal(1) / 2 + off)) for off in (-NODE, 0, NODE)
        )
        slope = (high - low) / (2 * NODE)
        bend = (high + low - 2 * middle) / (2 * NODE * NODE)
        unit = Decimal(2) ** UNIT_BITS
        return Segment(*(int((each * unit).to_integral_value()) for each in (middle, slope, bend)))


def _value(function: Function, x: Decimal) -> Decimal:
    if function is Function.EXP2:
        return Decimal(2) ** x
    return 1 / x if function is Function.RECIPROCAL else x.sqrt()
