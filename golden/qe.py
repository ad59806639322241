"""Quantisation engine: tokens to 4-bit channel-wise levels, in exact integers.

Source: docs/definition.md, 'Quantise' and 'Shared scale'.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from golden import validate
from golden.ambient import in_plain_mode
from golden.blocks import row_blocks

TokenFormat = Literal["fp16", "bf16"]

_DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Quantized:
    """4-bit tokens and what their distance needs.

    Attributes:
        q: uint8 [N, D], levels 0..15; column p is *position* p, channel ``order[p]``.
        weight: int64 [D], the distance weight of each position, 0..2^weight_bits - 1.
        step: float32 [D], the value of one level at each position, R * unit / 15; for reports only.
        order: int64 [D], the input channel at each position.
    """

    q: Tensor
    weight: Tensor
    step: Tensor
    order: Tensor


@dataclass(frozen=True)
class Statistics:
    """Channel statistics in fixed point, in input channel order.

    Attributes:
        unit_log2: the unit's exponent; a value is X * 2^unit_log2.
        low: int64 [D], X_lo, 0 for constant channels.
        span: int64 [D], R = X_hi - X_lo, 0 for constant channels.
        varies: bool [D], whether lo != hi before conversion to fixed point.
    """

    unit_log2: int
    low: Tensor
    span: Tensor
    varies: Tensor


@in_plain_mode
def round_to_format(tokens: Tensor, token_format: TokenFormat) -> Tensor:
    """Round tokens [N, D] to the engine's input format, to nearest even.

    Raises:
        ValueError: bad shape, dtype or format name, NaN or infinity, or a value that overflows.
    """
    validate.check_tokens(tokens)
    if token_format not in _DTYPES:
        raise ValueError(f"token_format is {token_format!r}; it must be 'fp16' or 'bf16'.")
    rounded = tokens.to(_DTYPES[token_format])
    if not validate.all_finite(rounded):
        token, channel = torch.isinf(rounded).nonzero()[0].tolist()
        raise ValueError(
            f"token {token}, channel {channel} is {tokens[token, channel].item()}; "
            f"it must lie within the range of {token_format}."
        )
    return rounded


def fixed_point(values: Tensor, unit_log2: int, varies: Tensor) -> Tensor:
    """Convert finite values [..., D] to X: integers as float64, 0 for constant channels."""
    # The scaling is exact in float64: 11 significant bits at most, exponents within +-300.
    return values.double().mul_(varies.double() * 2.0**-unit_log2).trunc_()


def channel_statistics(tokens: Tensor) -> Statistics:
    """Least value and span of each channel of tokens [N, D], float16 or bfloat16, finite."""
    low, high = tokens.amin(dim=0), tokens.amax(dim=0)
    varies = low != high
    unit_log2 = -24
    if tokens.dtype == torch.bfloat16:
        # Where no channel varies every X is 0 and any unit does.
        peak = float(torch.where(varies, torch.maximum(-low, high), 0.0).max())
        exponent = math.frexp(peak)[1] - 1 if peak else -126
        unit_log2 = max(exponent, -126) - 39
    x_low = fixed_point(low, unit_log2, varies).to(torch.int64)
    x_high = fixed_point(high, unit_log2, varies).to(torch.int64)
    return Statistics(unit_log2, x_low, x_high - x_low, varies)


def channel_order(span: Tensor, scale_group: int) -> tuple[Tensor, Tensor]:
    """Place channels at positions and share spans in groups.

    Args:
        span: int64 [D], R of each channel.
        scale_group: G, channels to a group.

    Returns:
        order: int64 [D], the channel at each position.
        shared: int64 [D], the R that each position uses.
    """
    if scale_group == 1:
        return torch.arange(len(span), device=span.device), span
    ordered, order = torch.sort(span, descending=True, stable=True)
    scale_group = min(scale_group, len(span))  # whose product a tensor holds
    first = torch.arange(len(span), device=span.device) // scale_group * scale_group
    return order, ordered[first]


def channel_weights(span: Tensor, weight_bits: int = 8) -> Tensor:
    """Weight of each position, int64, from the R that it uses (int64 [D], below 2^41)."""
    largest = int(span.max())
    if largest == 0:
        return torch.zeros_like(span)
    shift = max(0, largest.bit_length() - 16)
    # r and m have at most 16 bits and W at most 16: 2 W r^2 + m^2 < 2^50.
    r, m = span >> shift, largest >> shift
    return (2 * ((1 << weight_bits) - 1) * r * r + m * m) // (2 * m * m)


@in_plain_mode
def quantize(
    tokens: Tensor,
    *,
    token_format: TokenFormat = "fp16",
    scale_group: int = 1,
    weight_bits: int = 8,
) -> Quantized:
    """Quantise tokens to 4 bits a channel.

    Args:
        tokens: [N, D], float16, bfloat16 or float32; first rounded to token_format.
        token_format: 'fp16' or 'bf16'.
        scale_group: G, how many positions share one step and one weight.
        weight_bits: width of the weights, 1..16.

    Raises:
        ValueError: see round_to_format; scale_group below 1; weight_bits outside 1..16.
    """
    validate.check_scale(scale_group, weight_bits)
    rounded = round_to_format(tokens, token_format)
    stats = channel_statistics(rounded)
    order, span = channel_order(stats.span, scale_group)
    low, varies = stats.low[order].double(), stats.varies[order]
    half = span.double()
    divisor = torch.where(span > 0, 2 * half, 1)  # a span of 0 leaves the numerator 0 as well
    q = torch.empty(tokens.shape, dtype=torch.uint8, device=tokens.device)
    for rows in row_blocks(*tokens.shape):
        x = fixed_point(rounded[rows, order], stats.unit_log2, varies)
        # In float64 because its division is the fast one. X - X_lo <= R < 2^41: the numerator is an
        # integer below 31 * 2^41 < 2^46, and a quotient (below 16) that is no integer is at least
        # 1 / 2R > 2^-42 away from one, more than rounding moves it. Conversion rounds toward zero.
        q[rows] = x.sub_(low).mul_(30).add_(half).div_(divisor)
    return Quantized(
        q=q,
        weight=channel_weights(span, weight_bits),
        step=(span.double() * (2.0**stats.unit_log2 / 15)).float(),
        order=order,
    )
