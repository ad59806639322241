"""Reduce and restore: drop src rows before attention, copy their dst's rows back after it.

Source: docs/definition.md, 'Reduce and restore'. The two index lists are computed once for a match
and reused at every reduced step; both directions are then one gather, and no input is written to.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from golden import validate
from golden.ambient import in_plain_mode


def kept_rows(num_tokens: int, src: Tensor) -> Tensor:
    """List the tokens that stay, ascending: int64 [N - K].

    Args:
        num_tokens: N.
        src: int64 [K], the tokens that are dropped, distinct.

    Raises:
        ValueError: a src out of range or listed twice.
    """
    validate.check_within("src", src, num_tokens)
    kept = torch.ones(num_tokens, dtype=torch.bool, device=src.device)
    kept[src] = False
    rows = kept.nonzero().flatten()
    if len(rows) != num_tokens - len(src):
        raise ValueError(
            f"src lists {len(src)} tokens but only {num_tokens - len(rows)} different ones; "
            "its tokens must be distinct."
        )
    return rows


def restored_rows(num_tokens: int, src: Tensor, dst: Tensor) -> Tensor:
    """List, for each of N tokens, the row of the reduced tensor that it takes: int64 [N].

    Args:
        num_tokens: N.
        src: int64 [K], the tokens that were dropped, distinct.
        dst: int64 [K], the token whose row each copies.

    Raises:
        ValueError: lists of different length, an index out of range, a src listed twice, or a dst
            that is dropped itself.
    """
    if src.shape != dst.shape:
        raise ValueError(f"src lists {len(src)} tokens and dst {len(dst)}; they must be pairs.")
    validate.check_within("dst", dst, num_tokens)
    kept = kept_rows(num_tokens, src)
    rows = torch.full((num_tokens,), -1, dtype=torch.int64, device=src.device)
    rows[kept] = torch.arange(len(kept), device=src.device)
    rows[src] = rows[dst]
    dropped = (rows < 0).nonzero().flatten().tolist()
    if dropped:
        raise ValueError(f"the dst of token {dropped[0]} is itself a src; a dst must be kept.")
    return rows


def _between(rows: Tensor, num_rows: int, before: int, after: int) -> Tensor:
    """Set row indices of a num_rows long part into a sequence with rows before and after it."""
    ahead = torch.arange(before, device=rows.device)
    behind = torch.arange(after, device=rows.device) + before + num_rows
    return torch.cat([ahead, rows + before, behind])


@dataclass(frozen=True)
class Reduction:
    """Both index lists of a match, for a sequence whose video tokens may lie between others.

    Attributes:
        kept: int64, the rows of the full sequence that stay, ascending.
        restored: int64, for each row of the full sequence its row of the reduced one.
    """

    kept: Tensor
    restored: Tensor

    @classmethod
    @in_plain_mode
    def of(
        cls, num_tokens: int, src: Tensor, dst: Tensor, *, before: int = 0, after: int = 0
    ) -> "Reduction":
        """Plan the reduction of N video tokens.

        Args:
            num_tokens: N, video tokens.
            src: int64 [K], the video tokens to drop.
            dst: int64 [K], the video token that stands in for each.
            before: rows ahead of the video tokens (text), which keep their place.
            after: rows behind the video tokens, likewise.
        """
        kept, restored = kept_rows(num_tokens, src), restored_rows(num_tokens, src, dst)
        return cls(
            _between(kept, num_tokens, before, after), _between(restored, len(kept), before, after)
        )

    @property
    def copies(self) -> Tensor:
        """How many rows of the full sequence each kept row stands for: int64, at least 1 each."""
        return torch.bincount(self.restored, minlength=len(self.kept))

    def reduce(self, tensor: Tensor, dim: int = -2) -> Tensor:
        """Drop the src rows: [.., N, ..] to [.., N - K, ..], a new tensor."""
        if tensor.shape[dim] != len(self.restored):
            raise ValueError(
                f"dimension {dim} has {tensor.shape[dim]} rows; it must have {len(self.restored)}."
            )
        return tensor.index_select(dim, self.kept)

    def restore(self, tensor: Tensor, dim: int = -2) -> Tensor:
        """Copy each dst's row to its src: [.., N - K, ..] to [.., N, ..], a new tensor."""
        if tensor.shape[dim] != len(self.kept):
            raise ValueError(
                f"dimension {dim} has {tensor.shape[dim]} rows; it must have {len(self.kept)}."
            )
        return tensor.index_select(dim, self.restored)
