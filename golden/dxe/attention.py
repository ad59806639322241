"""Attention: one head, by tiles of keys, on the systolic array and the vector unit.

Source: docs/definition.md, 'Attention of the DXE'.
"""

import math

import torch
from torch import Tensor

from golden.ambient import in_plain_mode
from golden.dxe.softmax import MINUS_ZERO, Running, factor_of
from golden.dxe.systolic_array import matmul
from golden.dxe.vector_lane import lane, shortened


@in_plain_mode
def attention(queries: Tensor, keys: Tensor, values: Tensor, *, columns: int = 64) -> Tensor:
    """``softmax(queries keys^T / sqrt(d)) values`` of one head.

    Args:
        queries: (m, d), float16 or bfloat16.
        keys: (n, d), of the same type.
        values: (n, d), likewise.
        columns: of the array, and lanes of the vector unit: keys of a tile, a power of two.

    Returns:
        (m, d), of the same type.
    """
    rows, channels = queries.shape
    factor = factor_of(1 / math.sqrt(channels))
    known, sums = Running.start(rows), torch.zeros(rows, channels)
    for first in range(0, len(keys), columns):
        some_keys, some_values = (each[first : first + columns] for each in (keys, values))
        scores = matmul(torch.zeros(rows, len(some_keys)), queries, some_keys.T)
        known, weights, shrink = known.step(scores, factor, columns)
        sums = lane(sums, shrink[:, None], MINUS_ZERO)
        sums = matmul(sums, shortened(weights, queries.dtype), some_values)
    return shortened(lane(sums, known.shares[:, None], MINUS_ZERO), queries.dtype)
