"""A first dst list that spreads over the tokens: farthest first, from one that is drawn.

Source: docs/definition.md, 'Spread'. Farthest-first traversal is Gonzalez's.

As it is written, each dst would take a pass over all tokens. But gaps only shrink, so the farthest
token is found among those that were farthest when all gaps were last known, for as long as one of
them is still farther than the best of the others was. Only then are all gaps brought up to date,
against all dst since at once, in a few large multiplications. That takes the distances of one
pairing, and those of the candidates from each other each time: some pairings' worth at small sizes.
"""

import torch
from torch import Tensor

from golden import min_tree, sampler, validate
from golden.ambient import in_plain_mode
from golden.dau import Points
from golden.qe import Quantized

CANDIDATES = 256
"""Tokens that the farthest one is looked for among; which are taken does not depend on it."""


@in_plain_mode
def spread(tokens: Quantized | Tensor, num_dst: int, seed: int) -> Tensor:
    """Choose num_dst of N tokens: int64 [M], distinct, in slot order.

    Args:
        tokens: [N, D], floats as they are, or quantised.
        num_dst: M, 1..N - 1.
        seed: of the first dst, 0..2^32 - 1.

    Raises:
        ValueError: any of the above out of its range.
    """
    return farthest_first(Points(tokens), num_dst, seed)


def farthest_first(points: Points, num_dst: int, seed: int) -> Tensor:
    """As `spread`, of points that there are already."""
    validate.check_sizes(len(points.tokens), num_dst, 0)
    chosen = sampler.sample(len(points.tokens), 1, seed).to(points.tokens.device)
    newest, gap = chosen, torch.full_like(points.norm, torch.inf)
    while len(chosen) < num_dst:
        gap = torch.minimum(gap, _gaps(points, newest))
        gap[newest] = -torch.inf
        newest = _farthest(points, gap, num_dst - len(chosen))
        chosen = torch.cat([chosen, newest])
    return chosen


def _gaps(points: Points, dst: Tensor) -> Tensor:
    """How far each token is from the nearest of some dst: float64 [N]."""
    every = torch.arange(len(points.tokens), device=dst.device)
    return min_tree.nearest_slots(points, every, dst).distance + points.norm


def _farthest(points: Points, gap: Tensor, most: int) -> Tensor:
    """Take the farthest tokens one after the other, for as long as these gaps tell: int64 [T].

    Args:
        points: the token set.
        gap: float64 [N], of each token; -inf of a dst.
        most: to take; at least one is.
    """
    order = gap.sort(descending=True, stable=True).indices[: CANDIDATES + 1].cpu()
    tokens, others = order[:CANDIDATES].sort().values, order[CANDIDATES:]
    gaps = gap.cpu()[tokens]
    limit = (float(gap[others[0]]), -int(others[0])) if len(others) else (-torch.inf, 0)
    between = _between(points, tokens.to(gap.device)).cpu()
    taken: list[int] = []
    while len(taken) < most:
        place = int(gaps.argmax())  # the first of equals, which is the lowest token
        if taken and (float(gaps[place]), -int(tokens[place])) < limit:
            break
        taken.append(place)
        gaps = torch.minimum(gaps, between[place])
        gaps[place] = -torch.inf
    return tokens[taken].to(gap.device)


def _between(points: Points, tokens: Tensor) -> Tensor:
    """Distances of some tokens from each other: float64 [C, C]."""
    tile = points.tile(points.src_rows(tokens), points.slots(tokens)).double()
    return tile + points.norm[tokens, None]
