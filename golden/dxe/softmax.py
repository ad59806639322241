"""Running softmax: rows of scores, a tile at a time, by passes of the vector unit.

Source: docs/definition.md, 'Attention of the DXE'.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from golden.ambient import in_plain_mode
from golden.dxe.row_reduce import row_reduce
from golden.dxe.vector_lane import lane, maximum

MINUS_ZERO = torch.tensor(-0.0)
"""What changes no float that it is added to."""


@dataclass(frozen=True)
class Running:
    """What is known of rows of scores so far.

    Attributes:
        largest: of each row, in powers of two: scores times the factor.
        total: the sum of each row's weights, relative to its largest.
    """

    largest: Tensor
    total: Tensor

    @classmethod
    def start(cls, rows: int) -> "Running":
        """Before the first tile."""
        return cls(torch.full((rows,), -math.inf), torch.zeros(rows))

    @property
    def shares(self) -> Tensor:
        """What a row's weights are to be multiplied by at the end: (rows,)."""
        return lane(self.total, torch.tensor(1.0), MINUS_ZERO, function="reciprocal")

    def step(self, scores: Tensor, factor: Tensor, lanes: int) -> tuple["Running", Tensor, Tensor]:
        """Take a tile in.

        Args:
            scores: (rows, columns), float32, at most ``lanes`` columns.
            factor: float32: what makes powers of two of scores.
            lanes: of the vector unit, a power of two.

        Returns:
            What is known then; the tile's weights (rows, columns); and what all earlier weights are
            to be multiplied by (rows,).
        """
        powers = lane(scores, factor, MINUS_ZERO)
        largest = maximum(self.largest, row_reduce(powers, lanes, take_max=True))
        weights = lane(scores, factor, -largest[:, None], function="exp2")
        shrink = lane(self.largest, torch.tensor(1.0), -largest, function="exp2")
        total = lane(self.total, shrink, row_reduce(weights, lanes, take_max=False))
        return Running(largest, total), weights, shrink


def factor_of(scale: float) -> Tensor:
    """What makes powers of two of scores that are to be scaled: scale times log2(e), float32."""
    return torch.tensor(scale * math.log2(math.e), dtype=torch.float32)


@in_plain_mode
def softmax(scores: Tensor, scale: float = 1.0, lanes: int = 64) -> Tensor:
    """The softmax of each row of scores times a scale.

    The relative error of a weight that is a normal float32 is at most (6 S + 4 T + 12) 2^-24, with
    S the largest size of a score times the factor and T the tiles of a row: a rounding of each
    power, of each distance from the largest, of each function, of each tile's sum.

    Args:
        scores: (rows, columns), float32, finite.
        scale: by which they are multiplied.
        lanes: columns of a tile, a power of two.

    Returns:
        (rows, columns), float32.
    """
    factor = factor_of(scale)
    known = Running.start(len(scores))
    for first in range(0, scores.shape[1], lanes):
        known, _, _ = known.step(scores[:, first : first + lanes], factor, lanes)
    weights = lane(scores, factor, -known.largest[:, None], function="exp2")
    return lane(weights, known.shares[:, None], MINUS_ZERO)
