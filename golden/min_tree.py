"""Min tree: the nearest dst slot of each src, merged over blocks of slots.

Source: design section 3, 'Pairing': least distance, a tie goes to the lowest slot.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from golden import validate
from golden.dau import Points

# A tile of this many src by this many dst stays in cache; memory is bounded by it, never by N x M.
SRC_BLOCK = 1024
DST_BLOCK = 1024


@dataclass(frozen=True)
class Least:
    """Running result for S src: least distance so far [S] and the slot that has it, int64 [S]."""

    distance: Tensor
    slot: Tensor


def least(tile: Tensor, first_slot: int = 0) -> Least:
    """Least distance of each row of a tile [S, P] whose columns are slots from first_slot up."""
    # torch.min names the first of equal minima.
    distance, column = tile.min(dim=1)
    return Least(distance, column + first_slot)


def merge(low: Least, high: Least) -> Least:
    """Merge two results, every slot of low below every slot of high: low keeps the ties."""
    closer = high.distance < low.distance
    return Least(
        torch.where(closer, high.distance, low.distance),
        torch.where(closer, high.slot, low.slot),
    )


def nearest(
    points: Points,
    src: Tensor,
    dst: Tensor,
    *,
    src_block: int = SRC_BLOCK,
    dst_block: int = DST_BLOCK,
) -> Tensor:
    """Nearest slot of each src token: int64 [S].

    Args:
        points: the token set.
        src: int64 [S], token indices.
        dst: int64 [M], the token of each slot.
        src_block: src tokens a tile.
        dst_block: slots a tile.
    """
    validate.check_block(src_block)
    validate.check_block(dst_block)
    slots = []
    for src_part in torch.split(src, src_block):
        src_rows = points.rows(src_part)
        best: Least | None = None
        for first_slot in range(0, len(dst), dst_block):
            dst_rows = points.rows(dst[first_slot : first_slot + dst_block])
            found = least(points.tile(src_rows, dst_rows), first_slot)
            best = found if best is None else merge(best, found)
        assert best is not None  # M is at least 1
        slots.append(best.slot)
    return torch.cat(slots)
