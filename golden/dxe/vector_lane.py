"""Vector lane: what it makes of three float32, step by step.

Source: docs/definition.md, 'Arithmetic of the DXE'.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from golden.ambient import in_plain_mode
from golden.dxe.float_function import exp2, reciprocal, sqrt
from golden.dxe.mac import one_nan

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": one_nan, "exp2": exp2, "reciprocal": reciprocal, "sqrt": sqrt,
}  # fmt: skip
"""Last steps, by name."""


@in_plain_mode
def lane(
    x: Tensor, a: Tensor, b: Tensor, *, take_max: bool = False, function: str = "none"
) -> Tensor:
    """``function(x * a + b)``, or of the larger of x * a and b; every step rounds to float32.

    Args:
        x: float32.
        a: float32, of a shape that broadcasts with it.
        b: likewise.
        take_max: the larger instead of the sum.
        function: of `FUNCTIONS`.
    """
    product = x * a
    return FUNCTIONS[function](maximum(product, b) if take_max else one_nan(product + b))


def maximum(one: Tensor, other: Tensor) -> Tensor:
    """The larger of two float32, +0 above -0; a NaN if either is."""
    larger = torch.maximum(one, other)
    zeros = (one == 0) & (other == 0)
    # Of two zeros the sum is -0 only if both are.
    return one_nan(torch.where(zeros, one + other, larger))


@in_plain_mode
def shortened(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Float32 rounded to float16 or bfloat16; every NaN is the dtype's positive quiet one."""
    nan = torch.tensor(float("nan"), dtype=dtype, device=values.device).abs()
    return torch.where(values.isnan(), nan, values.to(dtype))
