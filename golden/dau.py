"""Distance accumulation: weighted squared distances between tokens, a tile at a time.

Source: docs/definition.md, 'Distance': d(i, j) = sum_c w_c (q[i,c] - q[j,c])^2, exact.

The nearest dst y of a src x is that of least |y|^2 - 2 <x, y>, the distance less |x|^2: that is
what a tile holds. The inner products are a matrix multiplication.

Exactness. Distances do not change when all tokens shift, so 4-bit levels are centred to -8..7
first. Let B be the largest |x|^2 of all tokens. Whatever the order of summation, a partial sum of
<x, y> is at most B in size (Cauchy and Schwarz, on the channels summed so far), and an element of a
tile at most 3 B. Where B is at most 2^24, float32 multiplication is therefore exact (the factor -2
only moves the exponent), and where 3 B is, so is the tile in float32: the shipped model's tokens
are 26 times below that. Else tiles are float64, and channels are cut into runs whose weights sum to
at most 2^24 / 64: a product is at most 64 w in size, so that each run is exact in float32. 1,028
channels of the full 8-bit weight make one run. Where there would be very many runs, all is
multiplied in float64: far larger sums than these are exact in it for all tokens that are accepted.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from golden import validate
from golden.ambient import in_plain_mode
from golden.blocks import row_blocks
from golden.qe import Quantized

_CENTRE = 8

# Integers up to this size are exact in float32.
_EXACT_FLOAT32 = 1 << 24

# Adding up more products than this takes longer than one multiplication in float64.
_MOST_RUNS = 128


@dataclass(frozen=True)
class Slots:
    """Some dst, ready to form tiles: -2 w (y - centre), [P, D], and squared norms |y|^2, [P]."""

    values: Tensor
    norm: Tensor


class Points:
    """A token set whose squared distances are wanted: exact from 4-bit tokens, else float32.

    Attributes:
        tokens: the set, [N, D]: uint8 levels, or floats as they came.
        weight: float64 [D], the weight of each channel; ones for floats.
        norm: float64 [N], the squared norm of each token, centred.
        exact: whether distances are exact integers.

    Raises:
        ValueError: malformed tokens, NaN or infinity, floats whose squared distances exceed
            float32, or integers that might exceed 2^53.
    """

    def __init__(self, tokens: Quantized | Tensor) -> None:
        self.exact = isinstance(tokens, Quantized)
        if isinstance(tokens, Quantized):
            validate.check_quantized(tokens.q, tokens.weight)
            self.tokens, self.weight = tokens.q, tokens.weight.double()
            self._centre = torch.full_like(self.weight, _CENTRE, dtype=torch.float32)
        else:
            validate.check_tokens(tokens)
            self.tokens = tokens
            self.weight = torch.ones(tokens.shape[1], dtype=torch.float64, device=tokens.device)
            # Any centre is right; near the mean the difference of large terms costs least accuracy.
            self._centre = tokens.mean(dim=0, dtype=torch.float32)
        self.norm = self.weight.new_empty(len(self.tokens))
        for rows in row_blocks(*self.tokens.shape):
            centred = self._centred(self.tokens[rows]).double()
            self.norm[rows] = centred.square_() @ self.weight
        largest = float(self.norm.max())
        if not 4 * largest <= torch.finfo(torch.float32).max:
            raise ValueError(
                f"tokens need squared distances up to {4 * largest:.3g}; "
                "they must lie within float32."
            )
        self._narrow, self._wide, self._runs = self._plan(largest)
        self._scale = (-2 * self.weight).to(self._narrow)

    def _plan(self, largest: float) -> tuple[torch.dtype, torch.dtype, list[slice]]:
        """Choose the dtype of the multiplication, that of tiles, and the runs of channels.

        Args:
            largest: B, the largest squared norm.
        """
        everything = [slice(0, len(self.weight))]
        if not _multiplies_in_full():
            return torch.float64, torch.float64, everything
        if not self.exact or 3 * largest <= _EXACT_FLOAT32:
            return torch.float32, torch.float32, everything
        if largest <= _EXACT_FLOAT32:
            return torch.float32, torch.float64, everything
        runs, start, total = [], 0, 0.0
        for channel, weight in enumerate(self.weight.tolist()):
            if 64 * (total + weight) > _EXACT_FLOAT32:
                runs.append(slice(start, channel))
                start, total = channel, 0.0
            total += weight
        runs.append(slice(start, len(self.weight)))
        if len(runs) > _MOST_RUNS:
            return torch.float64, torch.float64, everything
        return torch.float32, torch.float64, runs

    def _centred(self, tokens: Tensor) -> Tensor:
        return tokens - self._centre

    def src_rows(self, index: Tensor) -> Tensor:
        """Gather src tokens, int64 [S], for tiles: centred, [S, D]."""
        return self._centred(self.tokens[index]).to(self._narrow)

    def slots(self, index: Tensor) -> Slots:
        """Gather dst tokens, int64 [P], for tiles."""
        return Slots(self.src_rows(index).mul_(self._scale), self.norm[index].to(self._wide))

    def tile(self, src_rows: Tensor, slots: Slots) -> Tensor:
        """Squared distances less the src's own squared norm, [S, P]: integers if exact."""
        tile = slots.norm.repeat(len(src_rows), 1)
        for run in self._runs:
            tile += src_rows[:, run] @ slots.values[:, run].T
        return tile

    def pairs(self, src: Tensor, dst: Tensor) -> Tensor:
        """Squared distance of each listed pair, from differences: int64 [B] if exact, else float32.

        Args:
            src: int64 [B], token indices.
            dst: int64 [B], the token that each is paired with.
        """
        squared = self.weight.new_empty(len(src))
        for rows in row_blocks(len(src), self.tokens.shape[1]):
            difference = self.tokens[src[rows]].double().sub_(self.tokens[dst[rows]])
            squared[rows] = difference.square_() @ self.weight
        return squared.to(torch.int64 if self.exact else torch.float32)


def _multiplies_in_full() -> bool:
    """Whether float32 multiplication is what it says, on CPU and GPU: no TF32, no bfloat16.

    torch.get_float32_matmul_precision() does not do: it raises where torch.backends was used.
    """
    settings = (
        torch.backends.mkldnn.matmul,  # type: ignore[attr-defined]  # the stubs lack it
        torch.backends.cuda.matmul,
    )
    return all(setting.fp32_precision in ("none", "ieee") for setting in settings)


@in_plain_mode
def distances(tokens: Quantized | Tensor, src: Tensor, dst: Tensor) -> Tensor:
    """Squared distances between tokens src, int64 [S], and dst, int64 [P]: int64 or float32 [S, P].

    For inspection of a few tokens; golden.min_tree walks through tiles without keeping them.
    """
    points = Points(tokens)
    tile = points.tile(points.src_rows(src), points.slots(dst)).double()
    squared = (tile + points.norm[src, None]).clamp_(min=0)
    return squared.to(torch.int64 if points.exact else torch.float32)
