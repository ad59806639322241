"""BSM, bipartite soft matching: the baseline with one random dst in each block of the video.

Source: docs/definition.md, 'Rivals'.
"""

from math import prod

import torch
from torch import Tensor

from golden.ambient import in_plain_mode
from golden.datm import Match, cheapest, pair
from golden.dau import Points
from golden.validate import check_sizes

Grid = tuple[int, int, int]


def block_of(grid: Grid, block: Grid) -> Tensor:
    """Number the block of each token, tokens in frame, row, column order: int64 [F * H * W].

    Args:
        grid: F, H, W, the tokens along each axis.
        block: tokens of a block along each axis; blocks at the far edges may be smaller.
    """
    if min(*grid, *block) < 1:
        raise ValueError(f"grid {grid} and block {block} must have sizes of at least 1.")
    number = torch.zeros(1, dtype=torch.int64)
    for size, length in zip(grid, block, strict=True):
        blocks = -(-size // length)
        number = (number[:, None] * blocks + torch.arange(size) // length).flatten()
    return number


def draw_dst(grid: Grid, block: Grid, generator: torch.Generator) -> Tensor:
    """Draw one token of each block: int64, one a block, in block order."""
    blocks = block_of(grid, block)
    shuffled = torch.randperm(len(blocks), generator=generator)
    # The first of its block in a random order is a uniform draw from the block.
    place = torch.empty_like(shuffled).scatter_(0, shuffled, torch.arange(len(blocks)))
    first = torch.full((int(blocks.max()) + 1,), len(blocks))
    return shuffled[first.scatter_reduce(0, blocks, place, "amin")]


@in_plain_mode
def match_bsm(
    tokens: Tensor,
    grid: Grid,
    reduce: int,
    *,
    generator: torch.Generator,
    block: Grid = (2, 2, 2),
) -> Match:
    """Match tokens by BSM.

    Args:
        tokens: [N, D], float16, bfloat16 or float32, in frame, row, column order.
        grid: F, H, W with F * H * W = N.
        reduce: K, 0..N - M with M the number of blocks.
        generator: the source of the dst draws, on the CPU.
        block: tokens of a block along each axis.

    Raises:
        ValueError: bad tokens, a grid that does not hold them, or K out of range.
    """
    points = Points(tokens)
    if prod(grid) != len(tokens):
        raise ValueError(f"grid {grid} holds {prod(grid)} tokens; it must hold {len(tokens)}.")
    dst = draw_dst(grid, block, generator).to(tokens.device)
    return match_with(points, dst, reduce)


def match_with(points: Points, dst: Tensor, reduce: int) -> Match:
    """Match a token set with dst that are given, int64 [M], and stay.

    Raises:
        ValueError: K out of range.
    """
    check_sizes(len(points.tokens), len(dst), reduce)
    pairing = pair(points, dst)
    src, stand_in, loss = cheapest(pairing, dst, reduce)
    return Match(src, stand_in, loss, dst, (pairing.total,), 1)
