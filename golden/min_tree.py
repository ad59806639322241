"""Min tree: the nearest dst slot of each src, merged over blocks of slots.

Source: docs/definition.md, 'Pairing': least distance, a tie goes to the lowest slot.
"""

from dataclasses import dataclass

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
    return nearest_slots(points, src, dst).slot


def nearest_slots(points: Points, src: Tensor, dst: Tensor) -> Least:
    """As `nearest`, with each distance, less the src's own squared norm."""
    height = max(1, SLOT_VALUES // (SLOT_BLOCK * points.tokens.shape[1])) * SLOT_BLOCK
    slot = torch.empty_like(src)
    # float64 holds the distances of any tile. Both lie there from the start: small results that are
    # kept between large temporaries would leave holes in memory, more than all tokens take.
    distance = torch.full(src.shape, torch.inf, dtype=torch.float64, device=src.device)
    for first in range(0, len(dst), height):
        blocks = [
            points.slots(part) for part in torch.split(dst[first : first + height], SLOT_BLOCK)
        ]
        for start in range(0, len(src), SRC_BLOCK):
            part = slice(start, start + SRC_BLOCK)
            rows = points.src_rows(src[part])
            best = Least(distance[part], slot[part])
            for place, block in enumerate(blocks):
                tile = points.tile(rows, block)
                best = merge(best, least(tile, first + place * SLOT_BLOCK))
            distance[part], slot[part] = best.distance, best.slot
    return Least(distance, slot)
