"""Which rows of a layer's video tokens take part in attention, and whose result each token takes.

Three kinds behind one interface: all rows; the same rows in every head, dropped before the
projections already; rows of their own in each head, dropped after the heads are split.

Source: design section 3, 'Reduce / restore'. Shapes: N video tokens, S of them kept, H heads of d
channels, C channels of a state.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from golden import Reduction


class Pairs(Protocol):
    """Index pairs of one layer; whatever else a matcher reports rides along unseen."""

    @property
    def src(self) -> Tensor:
        """int64 [K], the video tokens to drop; [H, K] where each head has its own."""

    @property
    def dst(self) -> Tensor:
        """int64, shaped as src: the video token whose result each src copies."""


class Rows:
    """All rows: nothing is dropped. The other kinds override what differs."""

    dropped = 0

    @property
    def index(self) -> Tensor | None:
        """int64 [S], what ``take`` keeps; None where it keeps all."""
        return None

    @property
    def bias(self) -> Tensor | None:
        """What makes a key that stands for n tokens weigh as n keys, added to the scores.

        ``log n``, float32 [1, 1 or H, 1, S]: softmax then gives the key n times its share. None
        where every key stands for itself.
        """
        return None

    def take(self, states: Tensor) -> Tensor:
        """Drop rows before the heads are split: [1, N, C] to [1, S, C]."""
        return states

    def take_heads(self, heads: Tensor) -> Tensor:
        """Drop what ``take`` could not: [1, H, N, d] to [1, H, S, d]."""
        return heads

    def take_mask(self, mask: Tensor) -> Tensor:
        """Drop keys of a mask: [1, 1, 1, N] to [1, 1 or H, 1, S]."""
        return mask

    def restore_heads(self, heads: Tensor) -> Tensor:
        """Undo ``take_heads`` on attention's result: copy each dst's row to its src."""
        return heads

    def restore(self, states: Tensor) -> Tensor:
        """Undo ``take``, likewise: [1, S, C] to [1, N, C]."""
        return states


@dataclass(frozen=True)
class SharedRows(Rows):
    """The same rows in every head.

    The projections around SDPA act on each row alone, so dropping rows before the first and copying
    them after the last equals dropping them from Q, K and V and copying SDPA's output, and saves
    the projections of the dropped rows too.
    """

    plan: Reduction

    @property
    def dropped(self) -> int:  # type: ignore[override]
        """K."""
        return len(self.plan.restored) - len(self.plan.kept)

    @property
    def index(self) -> Tensor | None:
        """Kept rows."""
        return self.plan.kept

    @cached_property
    def bias(self) -> Tensor | None:
        """One for all heads."""
        return self.plan.copies.float().log()[None, None, None]

    def take(self, states: Tensor) -> Tensor:
        """One gather."""
        return self.plan.reduce(states)

    def take_mask(self, mask: Tensor) -> Tensor:
        """One gather."""
        return self.plan.reduce(mask, -1)

    def restore(self, states: Tensor) -> Tensor:
        """One gather."""
        return self.plan.restore(states)


@dataclass(frozen=True)
class HeadRows(Rows):
    """Rows of their own in each head: ``kept`` int64 [H, S], ``restored`` [H, N]."""

    kept: Tensor
    restored: Tensor
    copies: Tensor

    @property
    def dropped(self) -> int:  # type: ignore[override]
        """K, in each head."""
        return self.restored.shape[1] - self.kept.shape[1]

    @cached_property
    def bias(self) -> Tensor | None:
        """One for each head."""
        return self.copies.float().log()[None, :, None]

    def take_heads(self, heads: Tensor) -> Tensor:
        """One gather."""
        return _gather(heads, self.kept)

    def take_mask(self, mask: Tensor) -> Tensor:
        """One gather, from the one mask for all heads."""
        return mask[:, 0][..., self.kept].transpose(1, 2)

    def restore_heads(self, heads: Tensor) -> Tensor:
        """One gather."""
        return _gather(heads, self.restored)


def _gather(heads: Tensor, index: Tensor) -> Tensor:
    """Take rows of [1, H, R, d] by int64 [H, S], head by head."""
    return heads.gather(-2, index[None, :, :, None].expand(-1, -1, -1, heads.shape[-1]))


def rows_of(pairs: Pairs, num_tokens: int, device: torch.device) -> Rows:
    """Plan the rows that pairs among N tokens leave, for tokens on a device.

    Raises:
        ValueError: malformed pairs, see golden.reduce.
    """
    src, dst = pairs.src.to(device), pairs.dst.to(device)
    if not src.shape[-1]:
        return Rows()
    if src.dim() == 1:
        return SharedRows(Reduction.of(num_tokens, src, dst))
    plans = [Reduction.of(num_tokens, *each) for each in zip(src, dst, strict=True)]
    return HeadRows(
        *(torch.stack([getattr(plan, part) for plan in plans])
          for part in ("kept", "restored", "copies"))
    )  # fmt: skip


@dataclass(frozen=True)
class LayerRows:
    """The rows of one layer of one video: of Q, and of keys and values."""

    query: Rows
    key_value: Rows

    @property
    def dropped(self) -> int:
        """K, of the queries or of the keys, whichever lose more."""
        return max(self.query.dropped, self.key_value.dropped)
