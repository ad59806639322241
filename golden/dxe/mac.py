"""Multiply and accumulate: sums of products of 16-bit floats in float32, in a given order.

Source: docs/definition.md, 'Arithmetic of the DXE': each product and each sum is rounded.
"""

import torch
from torch import Tensor

from golden.ambient import in_plain_mode

QUIET_NAN = 0x7FC0_0000
"""Bits of the one NaN that a float32 result can be."""


def one_nan(values: Tensor) -> Tensor:
    """Float32 in which every NaN is the `QUIET_NAN`."""
    nan = torch.tensor(QUIET_NAN, dtype=torch.int32, device=values.device).view(torch.float32)
    return torch.where(values.isnan(), nan, values)


@in_plain_mode
def mac(addend: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """``addend + a * b``, element by element.

    Args:
        addend: float32.
        a: float16 or bfloat16, of a shape that broadcasts with it.
        b: likewise.

    Returns:
        float32, a NaN as `one_nan`.
    """
    return one_nan(addend + a.to(torch.float32) * b.to(torch.float32))
