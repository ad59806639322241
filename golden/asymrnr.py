"""AsymRnR's matching: BSM on the features of each attention head, all heads with the same dst.

Source: Sun et al., 'Video Diffusion Transformers Acceleration with Asymmetric Reduction and
Restoration' (ICML 2025): one random dst in each block of the video, squared Euclidean distances
between the rows of one head, the closest pairs taken; Q is matched by Q, keys and values by V. Its
schedules of ratios by layer and step are not part of this.
"""

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from golden.ambient import in_plain_mode
from golden.bsm import Grid, draw_dst, match_with
from golden.dau import Points


@dataclass(frozen=True)
class HeadMatch:
    """Pairs of each head: src, dst int64 [H, K] and loss float32 [H, K], each by (loss, src)."""

    src: Tensor
    dst: Tensor
    loss: Tensor


@in_plain_mode
def match_asymrnr(
    heads: Tensor,
    grid: Grid,
    reduce: int,
    *,
    generator: torch.Generator,
    block: Grid = (2, 2, 2),
) -> HeadMatch:
    """Match the rows of each head.

    Args:
        heads: [H, N, d], float16, bfloat16 or float32: Q or V, tokens in frame, row, column order.
        grid: F, H, W with F * H * W = N.
        reduce: K, 0..N - M with M the number of blocks.
        generator: the source of the dst draws, on the CPU.
        block: tokens of a block along each axis.

    Raises:
        ValueError: bad tokens, a grid that does not hold them, or K out of range.
    """
    if heads.dim() != 3 or prod(grid) != heads.shape[1]:
        raise ValueError(
            f"heads have shape {list(heads.shape)}; grid {grid} needs [H, {prod(grid)}, d]."
        )
    dst = draw_dst(grid, block, generator).to(heads.device)
    found = [match_with(Points(rows), dst, reduce) for rows in heads]
    src, stand_in, loss = (
        torch.stack([getattr(each, part) for each in found]) for part in ("src", "dst", "loss")
    )
    return HeadMatch(src, stand_in, loss)
