"""Top-k: the K cheapest pairs.

Source: docs/definition.md, 'Top-k': ordered by (loss, src).
"""

import torch
from torch import Tensor


def topk(loss: Tensor, src: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Take the k pairs of least loss, the lower src first where losses are equal.

    Args:
        loss: [S], of any dtype with an order.
        src: int64 [S], distinct token indices in any order.
        k: how many, 0..S.

    Returns:
        loss: [k], ascending.
        src: int64 [k], ascending where losses are equal.

    """
    by_src = torch.argsort(src)
    order = by_src[torch.sort(loss[by_src], stable=True).indices[:k]]
    return loss[order], src[order]
