"""Dst update: each slot moves to the member of its group that is nearest to the group's mean.

Source: docs/definition.md, 'Dst update'.

All of it is float64, which is exact for 4-bit tokens: S is at most 15 N, n |x|^2 at most 225 N
times the sum of the weights and 2 <x, S> at most twice that, which the check of quantised tokens
holds within 2^53 (N = 67,584 with D = 3,072 full 8-bit weights needs 2^45). Scores of float tokens
are rounded, so that float32 ties, above all in groups of two, may go either way at equal loss.
"""

import torch
from torch import Tensor

from golden.blocks import row_blocks
from golden.dau import Points


def group_sums(tokens: Tensor, slot: Tensor, num_dst: int) -> Tensor:
    """Sum the rows of each group: float64 [M, D].

    Args:
        tokens: [N, D], any dtype.
        slot: int64 [N], the group of each token.
        num_dst: M.
    """
    sums = torch.zeros(num_dst, tokens.shape[1], dtype=torch.float64, device=tokens.device)
    for rows in row_blocks(*tokens.shape):
        sums.index_add_(0, slot[rows], tokens[rows].double())
    return sums


def scores(points: Points, slot: Tensor, num_dst: int) -> Tensor:
    """N |x|^2 - 2 <x, S> of each token within its group: int64 [N] if exact, else float64.

    Args:
        points: the token set, N tokens.
        slot: int64 [N], the group of each token.
        num_dst: M.
    """
    members = torch.bincount(slot, minlength=num_dst).double()
    twice_sums = group_sums(points.tokens, slot, num_dst).mul_(2)
    score = points.weight.new_empty(len(slot))
    for rows in row_blocks(*points.tokens.shape):
        x, group = points.tokens[rows].double(), slot[rows]
        # n |x|^2 - 2 <x, S> = <x, n x - 2 S>
        gap = (members[group, None] * x).sub_(twice_sums[group])
        score[rows] = x.mul_(gap) @ points.weight
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
