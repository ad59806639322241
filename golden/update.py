"""Dst update: each slot moves to the member of its group that is nearest to the group's mean.

Source: design section 3, 'Dst update'. The nearest member minimises n |x|^2 - 2 <x, S>: n members,
S their sum, products weighted. A tie keeps the current dst, else takes the lowest token index.

All of it is float64, which is exact for 4-bit tokens: S is at most 15 N, n |x|^2 at most 225 N
times the sum of the weights and 2 <x, S> at most twice that, which the check of quantised tokens
holds within 2^53 (N = 67,584 with D = 3,072 full 8-bit weights needs 2^45). Scores of float tokens
are rounded, so that float32 ties, above all in groups of two, may go either way at equal loss.
"""

import torch
from torch import Tensor

from golden.dau import Points

# Token values that are in 64-bit form at a time: 32 MB an array, and there are four of them.
_VALUES = 1 << 22


def group_sums(values: Tensor, slot: Tensor, num_dst: int) -> Tensor:
    """Sum the rows of each group.

    Args:
        values: [N, D], any dtype; sums have the same one.
        slot: int64 [N], the group of each token.
        num_dst: M.

    Returns:
        [M, D].

    """
    sums = torch.zeros(num_dst, values.shape[1], dtype=values.dtype, device=values.device)
    return sums.index_add_(0, slot, values)


def scores(points: Points, slot: Tensor, num_dst: int) -> Tensor:
    """N |x|^2 - 2 <x, S> of each token within its group: int64 [N] if exact, else float64.

    Args:
        points: the token set, N tokens.
        slot: int64 [N], the group of each token.
        num_dst: M.
    """
    num_tokens, channels = points.tokens.shape
    norm = torch.zeros(num_tokens, dtype=torch.float64, device=slot.device)
    inner = torch.zeros_like(norm)
    width = max(1, _VALUES // num_tokens)
    for start in range(0, channels, width):
        x = points.tokens[:, start : start + width].double()
        weight = points.weight[start : start + width]
        sums = group_sums(x, slot, num_dst)
        norm += x.square() @ weight
        inner += (x * sums[slot]) @ weight
    members = torch.bincount(slot, minlength=num_dst)
    score = members[slot] * norm - 2 * inner
    return score.to(torch.int64) if points.exact else score


def best_member(score: Tensor, slot: Tensor, dst: Tensor) -> Tensor:
    """Token of least score in each group, int64 [M]; ties as the module says.

    Args:
        score: [N], see scores.
        slot: int64 [N], the group of each token; slot[dst[j]] == j.
        dst: int64 [M], the current dst of each slot.
    """
    # Rank the current dst -1 and every other token by its index, then take the least rank
    # among the members that reach the group's least score.
    lowest = score[dst].scatter_reduce(0, slot, score, "amin")
    rank = torch.arange(len(score), device=score.device)
    rank[dst] = -1
    rank = torch.where(score == lowest[slot], rank, len(score))
    chosen = torch.full_like(dst, len(score)).scatter_reduce(0, slot, rank, "amin")
    return torch.where(chosen < 0, dst, chosen)


def update(points: Points, slot: Tensor, dst: Tensor) -> Tensor:
    """New dst of each slot, int64 [M], from the groups of a pairing.

    Args:
        points: the token set, N tokens.
        slot: int64 [N], the slot of each token, dst tokens included.
        dst: int64 [M], the current dst of each slot.
    """
    return best_member(scores(points, slot, len(dst)), slot, dst)
