"""The two nearest slots of each src, a tile at a time: golden.min_tree with a second minimum.

Beside what is known of each src, it takes the memory of a tile and of the prepared slots.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from golden import min_tree
from golden.dau import Points


@dataclass(frozen=True)
class TwoNearest:
    """What is known of some src.

    Attributes:
        distance: float64 [S], the least distance, less the src's own squared norm.
        slot: int64 [S], the lowest slot that has it; -1 where no slot was seen.
        second: float64 [S], every other slot is at least as far; infinite where there is none.
    """

    distance: Tensor
    slot: Tensor
    second: Tensor

    @classmethod
    def none(cls, count: int) -> "TwoNearest":
        """Of src that no slot was compared with."""
        far = torch.full((count,), torch.inf, dtype=torch.float64)
        return cls(far, torch.full_like(far, -1, dtype=torch.int64), far.clone())

    def take(self, index: Tensor) -> "TwoNearest":
        """Of some of them: a copy."""
        return TwoNearest(self.distance[index], self.slot[index], self.second[index])

    def put(self, index: Tensor, new: "TwoNearest") -> None:
        """Replace what is known of some, in place."""
        self.distance[index], self.slot[index] = new.distance, new.slot
        self.second[index] = new.second

    def where(self, chosen: Tensor, other: "TwoNearest") -> "TwoNearest":
        """Of the chosen, bool [S], what is known here; of the rest, what is known there."""
        return TwoNearest(
            torch.where(chosen, self.distance, other.distance),
            torch.where(chosen, self.slot, other.slot),
            torch.where(chosen, self.second, other.second),
        )

    def merge(self, other: "TwoNearest") -> "TwoNearest":
        """Join what two sets of slots, which share none, tell: the lower slot keeps a tie."""
        nearer = (other.distance < self.distance) | (
            (other.distance == self.distance) & (other.slot < self.slot)
        )
        loser = torch.maximum(self.distance, other.distance)
        second = torch.minimum(torch.minimum(self.second, other.second), loser)
        return TwoNearest(
            torch.where(nearer, other.distance, self.distance),
            torch.where(nearer, other.slot, self.slot),
            second,
        )


def two_nearest(points: Points, src: Tensor, dst: Tensor, slots: Tensor) -> TwoNearest:
    """Compare src with some slots: the least distance, its slot, and the second least exactly.

    Args:
        points: the token set.
        src: int64 [S], token indices.
        dst: int64 [M], the token of each slot.
        slots: int64 [X], which slots, ascending.
    """
    found = TwoNearest.none(len(src))
    block = min_tree.SLOT_BLOCK
    # Prepared slots are kept for all src: as many as golden.min_tree keeps.
    height = max(1, min_tree.SLOT_VALUES // (block * points.tokens.shape[1])) * block
    for some in torch.split(slots, height) if len(slots) else ():
        blocks = [(part, points.slots(dst[part])) for part in torch.split(some, block)]
        for place in torch.split(torch.arange(len(src)), min_tree.SRC_BLOCK):
            rows, best = points.src_rows(src[place]), found.take(place)
            for part, values in blocks:
                best = best.merge(_of_tile(points.tile(rows, values), part))
            found.put(place, best)
    return found


def _of_tile(tile: Tensor, slots: Tensor) -> TwoNearest:
    """The two least of each row of a tile [S, P], which is overwritten."""
    # torch.min names the first of equal minima.
    distance, column = tile.min(dim=1)
    tile.scatter_(1, column[:, None], torch.inf)
    return TwoNearest(distance.double(), slots[column], tile.amin(dim=1).double())
