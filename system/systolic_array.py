"""Systolic array: cycles of products of matrices on it, tiles of weights back to back.

Source: docs/dxe.md, 'The systolic array'; held to the RTL's declared cycles by its test.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

_LOAD_TO_SWAP = 2
"""Cycles from the last load of a tile until its first activation may come."""


@dataclass(frozen=True)
class SystolicArray:
    """An array of R x C multipliers whose weights stay while activations pass.

    Attributes:
        rows, columns: R and C.
        product_latency: cycles of a product: 1 of FP16, 3 of BF16.
        add_latency: cycles of an addition, so from a row to the one below.
    """

    rows: int = 64
    columns: int = 64
    product_latency: int = 1
    add_latency: int = 4

    def tile_cycles(self, activations: int, loads: int) -> int:
        """Cycles from a tile's first row of activations to the next tile's, at least.

        Args:
            activations: rows of them.
            loads: words of the next tile: R from above, C from the left.
        """
        farthest = self.add_latency * (self.rows - 1) + self.columns - 1
        return max(activations, farthest - 1 + loads - 1 + _LOAD_TO_SWAP)

    def product_cycles(self, m: int, k: int, n: int, block: int) -> int:
        """Cycles of an (m, k) times a (k, n) matrix, from the first load to the last sum.

        Args:
            m: rows of activations.
            k: products of a sum.
            n: columns.
            block: most rows of activations, and so of sums, on chip at once.
        """
        activations = list(self._tiles(m, k, n, block))
        waits = sum(self.tile_cycles(tile, self.rows) for tile, _ in pairwise(activations))
        first = self.rows - 1 + _LOAD_TO_SWAP
        through = 1 + self.product_latency + self.add_latency * self.rows + self.columns - 1
        return first + waits + activations[-1] + through

    def utilisation(self, m: int, k: int, n: int, block: int) -> float:
        """The share of all multipliers and cycles that a product uses."""
        work = m * k * n
        return work / (self.rows * self.columns * self.product_cycles(m, k, n, block))

    def _tiles(self, m: int, k: int, n: int, block: int) -> Iterator[int]:
        """Rows of activations of each tile of weights."""
        tiles = -(-k // self.rows) * -(-n // self.columns)
        for start in range(0, m, block):
            yield from [min(block, m - start)] * tiles
