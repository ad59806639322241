"""Row reduction: the sum or the largest of a row, neighbours first.

Source: docs/definition.md, 'Arithmetic of the DXE'.
"""

import math

from torch import Tensor
from torch.nn.functional import pad

from golden.ambient import in_plain_mode
from golden.dxe.mac import one_nan
from golden.dxe.vector_lane import maximum


@in_plain_mode
def row_reduce(values: Tensor, lanes: int, *, take_max: bool) -> Tensor:
    """Of each row: neighbours are added (or compared), then their results, and so on.

    Lanes beyond its values are 0 to a sum, and -inf to a maximum.

    Args:
        values: (..., columns), float32, at most as many as lanes.
        lanes: a power of two.
        take_max: the largest instead of the sum.

    Returns:
        (...), float32.
    """
    beyond = -math.inf if take_max else 0.0
    values = pad(values, (0, lanes - values.shape[-1]), value=beyond)
    while values.shape[-1] > 1:
        one, other = values[..., 0::2], values[..., 1::2]
        values = maximum(one, other) if take_max else one_nan(one + other)
    return values[..., 0]
