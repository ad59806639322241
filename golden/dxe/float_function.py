"""Float functions: 2^x, 1/x and the square root of float32, by a parabola a segment.

Source: docs/definition.md, 'Functions of the vector unit'. Each result is within 0.8 units in the
last place of the exact one, half of it for rounding.
"""

import math
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from golden.ambient import in_plain_mode
from golden.dxe.mac import one_nan

_UNIT = 2.0**30
_OFFSET_BITS = 20
_NODE = 7 / 16


@in_plain_mode
def exp2(x: Tensor) -> Tensor:
    """2^x of float32; what lies below 2^-26 of an x is dropped."""
    fixed = (x.clamp(-256, 256).nan_to_num().double() * 2**26).trunc().long()
    whole, fraction = fixed >> 26, fixed & (1 << 26) - 1
    return _assembled(x, _parabola(_exp2_segments(), fraction, 26), whole)


@in_plain_mode
def reciprocal(x: Tensor) -> Tensor:
    """1/x of float32; of 0 the infinity of its sign."""
    fraction, exponent = _apart(x)
    result = _assembled(x, _parabola(_reciprocal_segments(), fraction, 23), -exponent)
    result = torch.where(x.isinf(), 0.0, torch.where(x == 0, math.inf, result))
    return one_nan(result.copysign(x))


@in_plain_mode
def sqrt(x: Tensor) -> Tensor:
    """The square root of float32; of -0 itself, of less a NaN."""
    fraction, exponent = _apart(x)
    odd = exponent & 1
    # The octave of odd exponents comes second.
    result = _assembled(x, _parabola(_sqrt_segments(), odd << 23 | fraction, 24), exponent >> 1)
    result = torch.where((x == 0) | (x == math.inf), x, result)
    return one_nan(torch.where(x < 0, math.nan, result))


def _apart(x: Tensor) -> tuple[Tensor, Tensor]:
    """The 23 bits of a finite number's fraction below its leading one, and its exponent."""
    finite = torch.where(x.isfinite() & (x != 0), x, 1.0).abs().double()
    half, exponent = torch.frexp(finite)
    return ((2 * half - 1) * 2**23).long(), exponent.long() - 1


def _assembled(x: Tensor, units: Tensor, exponent: Tensor) -> Tensor:
    """The float32 nearest to units of 2^-30 times a power of two; NaN where x is."""
    exact = torch.ldexp(units.double() / _UNIT, exponent)
    return one_nan(torch.where(x.isnan(), math.nan, exact.to(torch.float32)))


def _parabola(segments: Tensor, place: Tensor, bits: int) -> Tensor:
    """Units of 2^-30 at a place of so many bits, of which the highest are the segment."""
    below = bits - (len(segments) - 1).bit_length()
    middle, slope, bend = segments.to(place.device)[place >> below].unbind(-1)
    offset = (place << _OFFSET_BITS - below & (1 << _OFFSET_BITS) - 1) - (1 << _OFFSET_BITS - 1)
    leaning = slope + (bend * offset >> _OFFSET_BITS)
    return middle + (leaning * offset >> _OFFSET_BITS)


def _fitted(function: Callable[[Tensor], Tensor], starts: Tensor, widths: Tensor) -> Tensor:
    """Coefficients in units of 2^-30, a row a segment: middle, slope, bend."""
    low, middle, high = (
        function(starts + widths * (0.5 + off)) * _UNIT for off in (-_NODE, 0, _NODE)
    )
    slope = (high - low) / (2 * _NODE)
    bend = (high + low - 2 * middle) / (2 * _NODE**2)
    return torch.stack([middle, slope, bend], -1).round().long()


def _steps(count: int) -> Tensor:
    return torch.arange(count, dtype=torch.float64) / count


@cache
def _exp2_segments() -> Tensor:
    return _fitted(torch.exp2, _steps(64), torch.tensor(1 / 64))


@cache
def _reciprocal_segments() -> Tensor:
    return _fitted(torch.reciprocal, 1 + _steps(128), torch.tensor(1 / 128))


@cache
def _sqrt_segments() -> Tensor:
    octave = 1 + _steps(64)
    width = torch.full((64,), 1 / 64, dtype=torch.float64)
    return _fitted(torch.sqrt, torch.cat([octave, 2 * octave]), torch.cat([width, 2 * width]))
