"""How far the engine follows its comparisons: Q src with P dst, C channels a cycle, in lock-step.

A comparison of a group of Q src with a tile of P dst ends early once no pair of it can matter: when
every sum so far is beyond what is the second nearest of its src so far, or, where only slots that
moved are compared, beyond the bound on the slots that stayed (`hw.pair.limits`). How early depends
on the tokens, and on which of them meet.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from golden.dau import Points

_TILE_VALUES = 1 << 23
"""Values of a tile's differences that are made at once."""


SAMPLED_GROUPS = 24
"""Groups of src of a pass that are looked at where there are too many to look at all."""


@dataclass(frozen=True)
class Lanes:
    """What an engine compares a cycle, and how much of it is looked at.

    Attributes:
        dst_lanes: P.
        src_lanes: Q.
        channel_lanes: C.
        most_groups: groups of Q src of a pass that are looked at, spread evenly; 0 for all.

    Raises:
        ValueError: one that is not positive.
    """

    dst_lanes: int
    src_lanes: int
    channel_lanes: int
    most_groups: int = 0

    def __post_init__(self) -> None:
        for name in ("dst_lanes", "src_lanes", "channel_lanes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")


def chunks_needed(
    points: Points, src: Tensor, dst: Tensor, lanes: Lanes, bound: Tensor | None = None
) -> tuple[int, ...]:
    """Count comparisons by the chunks that decide them.

    Args:
        points: the token set.
        src: int64 [S], token indices, ascending.
        dst: int64 [X], the tokens of the slots that are compared, in slot order.
        lanes: what is compared at once.
        bound: float64 [S], where these are the slots that moved: what the distances to all others
            are known not to be below.

    Returns:
        Of the comparisons of Q src with P dst: at place k those that k + 1 chunks decide, at the
        last place those that not even all of them do; of the groups that are looked at.
    """
    channels = len(points.weight)
    total = -(-channels // lanes.channel_lanes)
    found = torch.zeros(total + 1, dtype=torch.int64)
    if not len(dst):
        return tuple(found.tolist())
    groups = torch.split(torch.arange(len(src)), lanes.src_lanes)
    if 0 < lanes.most_groups < len(groups):
        step = len(groups) / lanes.most_groups
        groups = tuple(groups[int((place + 0.5) * step)] for place in range(lanes.most_groups))
    for group in groups:
        limit = None if bound is None else bound[group]
        found += torch.bincount(
            _decided(points, src[group], dst, lanes, limit), minlength=total + 1
        )
    return tuple(found.tolist())


def _decided(
    points: Points, src: Tensor, dst: Tensor, lanes: Lanes, bound: Tensor | None
) -> Tensor:
    """Of each dst tile, the place of its comparison in `chunks_needed`: int64 [tiles]."""
    least = torch.full((len(src), 1), torch.inf, dtype=torch.float64)
    second = least.clone()
    if bound is not None:
        bound = bound[:, None]
    places = []
    width = _TILE_VALUES // (len(src) * len(points.weight)) // lanes.dst_lanes
    for some in torch.split(dst, max(1, width) * lanes.dst_lanes):
        sums = _sums(points, src, some, lanes.channel_lanes)
        distance = sums[:, :, -1].double()
        so_far = torch.cat([least, distance], 1).cummin(1).values
        loser = torch.maximum(distance, so_far[:, :-1])
        seconds = torch.cat([second, loser], 1).cummin(1).values
        least, second = so_far[:, -1:], seconds[:, -1:]
        limit = seconds[:, : -1 : lanes.dst_lanes]
        limit = limit if bound is None else torch.minimum(limit, bound)
        limit = limit.repeat_interleave(lanes.dst_lanes, 1)[:, : len(some)]
        within = (sums <= limit[:, :, None]).sum(2).amax(0)
        padded = torch.nn.functional.pad(within, (0, -len(some) % lanes.dst_lanes))
        places.append(padded.view(-1, lanes.dst_lanes).amax(1))
    return torch.cat(places)


def _sums(points: Points, src: Tensor, dst: Tensor, chunk: int) -> Tensor:
    """Distances summed up chunk by chunk: [S, X, chunks], exact."""
    rows, columns = points.tokens[src].float(), points.tokens[dst].float()
    # A chunk's sum is exact in float32, since it is below 2^24 for up to 290 channels.
    squares = (rows[:, None] - columns[None]).square_().mul_(points.weight.float())
    squares = torch.nn.functional.pad(squares, (0, -squares.shape[2] % chunk))
    sums = squares.view(*squares.shape[:2], -1, chunk).sum(3)
    return sums.int().cumsum(2, dtype=torch.int32)
