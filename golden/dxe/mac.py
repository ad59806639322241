"""Multiply and accumulate: sums of products of 16-bit floats in float32, in a given order.

Source: IEEE 754-2019, 4.3.1 and 5.4.1: each product and each sum is rounded to nearest even.
"""

import torch
from torch import Tensor

from golden.ambient import in_plain_mode

QUIET_NAN = 0x7FC0_0000
"""Bits of the one NaN that a sum can be."""


@in_plain_mode
def mac(addend: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """``addend + a * b``, element by element.

    Args:
        addend: float32.
        a: float16 or bfloat16, of a shape that broadcasts with it.
        b: likewise.

    Returns:
        float32; every NaN is the `QUIET_NAN`.
    """
    total = addend + a.to(torch.float32) * b.to(torch.float32)
    nan = torch.tensor(QUIET_NAN, dtype=torch.int32).view(torch.float32)
    return torch.where(total.isnan(), nan, total)
