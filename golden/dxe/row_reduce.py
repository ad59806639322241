"""Row reduction: the sum or the largest of a row, neighbours first.

Source: docs/definition.md, 'Arithmetic of the DXE'.
"""

from torch import Tensor

from golden.ambient import in_plain_mode
from golden.dxe.mac import one_nan
from golden.dxe.vector_lane import maximum


@in_plain_mode
def row_reduce(values: Tensor, *, take_max: bool) -> Tensor:
    """Of each row: neighbours are added (or compared), then their results, and so on.

    Args:
        values: (..., lanes), float32, a power of two of them.
        take_max: the largest instead of the sum.

    Returns:
        (...), float32.
    """
    while values.shape[-1] > 1:
        one, other = values[..., 0::2], values[..., 1::2]
        values = maximum(one, other) if take_max else one_nan(one + other)
    return values[..., 0]
