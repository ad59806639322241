"""Distance accumulation: weighted squared distances between tokens, a tile at a time.

Source: design section 3, 'Distance': d(i, j) = sum_c w_c (q[i,c] - q[j,c])^2, exact.

A tile is |x|^2 + |y|^2 - 2 <x, y>, the inner products by matrix multiplication. Distances do not
change when all tokens shift, so 4-bit levels are centred to -8..7 first; then each product is at
most 64 w in size, and float32 multiplication is exact over any run of channels whose weights sum to
at most 2^24 / 64. (The factor -2 only moves the exponent.) Channels are cut into such runs; 1,028
channels of the full 8-bit weight make one run, and real weights are far smaller. A distance is at
most 225 times the sum of the weights: where that is beyond 2^24, runs are added up in float64.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from golden import validate
from golden.qe import Quantized

# Rows that are in wide form at a time where tokens are walked through once.
_ROWS = 1024

_CENTRE = 8


@dataclass(frozen=True)
class Rows:
    """Some tokens, ready to form tiles: centred values [B, D] and their squared norms [B]."""

    values: Tensor
    norm: Tensor


class Points:
    """A token set whose squared distances are wanted: exact from 4-bit tokens, else float32.

    Attributes:
        tokens: the set, [N, D]: uint8 levels, or floats as they came.
        weight: float64 [D], the weight of each channel; ones for floats.
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
        # Reduced-precision multiplication (TF32, bfloat16) would break exactness: go wider then.
        full = torch.get_float32_matmul_precision() == "highest"
        self._narrow = torch.float32 if full else torch.float64
        self._wide, self._runs = self._plan()
        self._scale = (-2 * self.weight).to(self._narrow)
        self._norm = torch.cat([self._squares(part) for part in torch.split(self.tokens, _ROWS)])
        largest = 4 * float(self._norm.max())
        if not largest <= torch.finfo(torch.float32).max:
            raise ValueError(
                f"tokens need squared distances up to {largest:.3g}; they must lie within float32."
            )

    def _plan(self) -> tuple[torch.dtype, list[slice]]:
        """Choose the dtype that tiles are accumulated in and the runs of channels."""
        channels = len(self.weight)
        if not self.exact or self._narrow == torch.float64:
            return self._narrow, [slice(0, channels)]
        limit = 1 << 24
        runs, start, total = [], 0, 0
        for channel, weight in enumerate(self.weight.tolist()):
            if 64 * (total + weight) > limit:
                runs.append(slice(start, channel))
                start, total = channel, 0
            total += weight
        runs.append(slice(start, channels))
        fits = 225 * float(self.weight.sum()) <= limit
        return torch.float32 if fits else torch.float64, runs

    def _centred(self, tokens: Tensor) -> Tensor:
        return tokens.to(torch.float32) - self._centre

    def _squares(self, tokens: Tensor) -> Tensor:
        return self._centred(tokens).double().square() @ self.weight

    def rows(self, index: Tensor) -> Rows:
        """Gather tokens, int64 [B], for tiles."""
        values = self._centred(self.tokens[index]).to(self._narrow)
        return Rows(values, self._norm[index].to(self._wide))

    def tile(self, src: Rows, dst: Rows) -> Tensor:
        """Squared distances [S, P], of a floating dtype; integers without rounding if exact."""
        distance = src.norm[:, None] + dst.norm
        weighted = src.values * self._scale
        with torch.autocast(weighted.device.type, enabled=False):
            for run in self._runs:
                distance += weighted[:, run] @ dst.values[:, run].T
        return distance if self.exact else distance.clamp_(min=0)

    def pairs(self, src: Tensor, dst: Tensor) -> Tensor:
        """Squared distance of each listed pair, from differences: int64 [B] if exact, else float32.

        Args:
            src: int64 [B], token indices.
            dst: int64 [B], the token that each is paired with.
        """
        parts = []
        for i, j in zip(torch.split(src, _ROWS), torch.split(dst, _ROWS), strict=True):
            difference = self.tokens[i].double() - self.tokens[j].double()
            parts.append(difference.square() @ self.weight)
        return torch.cat(parts).to(torch.int64 if self.exact else torch.float32)


def distances(tokens: Quantized | Tensor, src: Tensor, dst: Tensor) -> Tensor:
    """Squared distances between tokens src, int64 [S], and dst, int64 [P]: int64 or float32 [S, P].

    For inspection of a few tokens; golden.min_tree walks through tiles without keeping them.
    """
    points = Points(tokens)
    tile = points.tile(points.rows(src), points.rows(dst))
    return tile.to(torch.int64 if points.exact else torch.float32)
