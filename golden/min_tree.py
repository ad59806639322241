"""Min tree: the nearest dst slot of each src, merged over blocks of slots.

Source: design section 3, 'Pairing': least distance, a tie goes to the lowest slot.
"""

from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from golden.dau import Points

# A tile of this many src by this many slots stays in the cache, and multiplies faster than all
# distances at once do.
SRC_BLOCK = 1024
SLOT_BLOCK = 512

# Slots are prepared once and kept, this many values at a time: 256 MB in float32. M = 16,830 of
# 3,072 channels fits; more are walked through in several passes over the src.
SLOT_VALUES = 1 << 26


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


def nearest(points: Points, src: Tensor, dst: Tensor) -> Tensor:
    """Nearest slot of each src token: int64 [S].

    Args:
        points: the token set.
        src: int64 [S], token indices.
        dst: int64 [M], the token of each slot.
    """
    blocks = max(1, SLOT_VALUES // (SLOT_BLOCK * points.tokens.shape[1]))
    height = blocks * SLOT_BLOCK
    passes = (
        _nearest_of(points, src, dst[first : first + height], first)
        for first in range(0, len(dst), height)
    )
    return reduce(merge, passes).slot


def _nearest_of(points: Points, src: Tensor, dst: Tensor, first_slot: int) -> Least:
    """Nearest of the slots from first_slot up, whose tokens are dst."""
    blocks = [points.slots(part) for part in torch.split(dst, SLOT_BLOCK)]
    found = []
    for part in torch.split(src, SRC_BLOCK):
        rows = points.src_rows(part)
        tiles = (
            least(points.tile(rows, block), first_slot + place * SLOT_BLOCK)
            for place, block in enumerate(blocks)
        )
        found.append(reduce(merge, tiles))
    return Least(
        torch.cat([part.distance for part in found]), torch.cat([part.slot for part in found])
    )
