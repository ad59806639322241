"""Which rows of a layer's video tokens take part in attention, and whose result each token takes.

Three kinds behind one interface: all rows; the same rows in every head, dropped before the
projections already; rows of their own in each head, dropped after the heads are split. Each video
of a batch has rows of its own, as many as the others.

Source: docs/definition.md, 'Reduce and restore' and 'Restore with residual'. Shapes: B videos of N
tokens, S of them kept, K dropped, H heads of d channels, C channels of a state.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from golden.gather import take_rows
from golden.reduce import Reduction
from software.library.config import OrbisConfig
from software.library.families import split_heads
from software.library.reduction.memory import Memory, remember


class Pairs(Protocol):
    """Index pairs of one layer and video; whatever else a matcher reports rides along unseen."""

    @property
    def src(self) -> Tensor:
        """int64 [K], the video tokens to drop; [H, K] where each head has its own."""

    @property
    def dst(self) -> Tensor:
        """int64, shaped as src: the video token whose result each src copies."""


class Rows:
    """All rows: nothing is dropped. The other kinds override what differs."""

    @property
    def dropped(self) -> int:
        """K, of each video."""
        return 0

    @property
    def bytes(self) -> int:
        """What is kept from step to step."""
        return 0

    @property
    def index(self) -> Tensor | None:
        """int64 [B, S], what ``take`` keeps; None where it keeps all."""
        return None

    @property
    def bias(self) -> Tensor | None:
        """What makes a key that stands for n tokens weigh as n keys, added to the scores.

        ``log n``, float32 [B, 1 or H, 1, S]: softmax then gives the key n times its share. None
        where every key stands for itself.
        """
        return None

    def take(self, states: Tensor) -> Tensor:
        """Drop rows before the heads are split: [B, N, C] to [B, S, C]."""
        return states

    def take_heads(self, heads: Tensor) -> Tensor:
        """Drop what ``take`` could not: [B, H, N, d] to [B, H, S, d]."""
        return heads

    def take_mask(self, mask: Tensor) -> Tensor:
        """Drop keys of a mask: [B, 1, 1, N] to [B, 1 or H, 1, S]."""
        return mask

    def remember(self, mixed: Tensor, states: Tensor, config: OrbisConfig) -> "Rows":
        """The same rows, with what the config keeps of a full step's results.

        Args:
            mixed: SDPA's output, heads concatenated, [B, N, H d].
            states: what the layer makes of it, [B, N, C].
            config: how results are restored.

        Raises:
            ValueError: results that cannot be kept.
        """
        return self

    def restore_heads(self, heads: Tensor) -> Tensor:
        """Undo ``take_heads`` on attention's result: each src's row from its dst's."""
        return heads

    def restore(self, states: Tensor) -> Tensor:
        """Undo ``take``, likewise: [B, S, C] to [B, N, C]."""
        return states


@dataclass(frozen=True)
class _SomeRows(Rows):
    """Some rows, of each video or of each head of one.

    Attributes:
        src: int64 [B, K] or [B, H, K].
        dst: likewise.
        kept: int64 [.., S].
        restored: int64 [.., N], of the kept rows the one that each token takes.
        copies: int64 [.., S], how many take each.
        memory: what else is known of the src rows.
    """

    src: Tensor
    dst: Tensor
    kept: Tensor
    restored: Tensor
    copies: Tensor
    memory: Memory | None = None

    @property
    def dropped(self) -> int:
        """K."""
        return self.src.shape[-1]

    @property
    def bytes(self) -> int:
        """Indices, and what else is kept."""
        indices = self.src, self.dst, self.kept, self.restored, self.copies
        held = sum(index.numel() * index.element_size() for index in indices)
        return held + (self.memory.bytes if self.memory else 0)

    @cached_property
    def bias(self) -> Tensor | None:
        """One for all heads, or one for each."""
        with torch.inference_mode(False):  # it is kept, and a later call may need gradients
            bias = self.copies.float().log()
        return bias[:, None, None] if bias.dim() == 2 else bias[:, :, None]

    def _restored(self, rows: Tensor) -> Tensor:
        """All N rows, from those that are kept."""
        copied = take_rows(rows, self.restored)
        return self.memory.restore_(copied) if self.memory else copied


class SharedRows(_SomeRows):
    """The same rows in every head.

    The projections around SDPA act on each row alone, so dropping rows before the first and copying
    them after the last equals dropping them from Q, K and V and copying SDPA's output, and saves
    the projections of the dropped rows too.
    """

    @property
    def index(self) -> Tensor | None:
        """Kept rows."""
        return self.kept

    def take(self, states: Tensor) -> Tensor:
        """One gather."""
        return take_rows(states, self.kept)

    def take_mask(self, mask: Tensor) -> Tensor:
        """One gather."""
        return torch.take_along_dim(mask, self.kept[:, None, None], -1)

    def remember(self, mixed: Tensor, states: Tensor, config: OrbisConfig) -> Rows:
        """Of what comes after the output projection, where fewer rows have to be projected."""
        return replace(self, memory=remember(states, self.src, self.dst, config))

    def restore(self, states: Tensor) -> Tensor:
        """One gather, and what is remembered."""
        return self._restored(states)


class HeadRows(_SomeRows):
    """Rows of their own in each head."""

    def take_heads(self, heads: Tensor) -> Tensor:
        """One gather."""
        return take_rows(heads, self.kept)

    def take_mask(self, mask: Tensor) -> Tensor:
        """One gather, from the one mask for all heads."""
        return torch.take_along_dim(mask, self.kept[:, :, None], -1)

    def remember(self, mixed: Tensor, states: Tensor, config: OrbisConfig) -> Rows:
        """Of SDPA's output, as the output projection mixes the heads."""
        heads = split_heads(mixed, self.src.shape[1])
        return replace(self, memory=remember(heads, self.src, self.dst, config))

    def restore_heads(self, heads: Tensor) -> Tensor:
        """One gather, and what is remembered."""
        return self._restored(heads)


def rows_of(pairs: Sequence[Pairs], num_tokens: int, device: torch.device) -> Rows:
    """The rows that each video's pairs among its N tokens leave, for tokens on a device.

    Raises:
        ValueError: malformed pairs (see golden.reduce), or videos with more pairs than others.
    """
    sizes = {tuple(each.src.shape) for each in pairs}
    if len(sizes) > 1:
        raise ValueError(
            f"src lists have shapes {sorted(sizes)}; the videos of a batch must have the same."
        )
    src, dst = (torch.stack([getattr(each, name) for each in pairs]).to(device)
                for name in ("src", "dst"))  # fmt: skip
    if not src.shape[-1]:
        return Rows()
    reductions = [
        Reduction.of(num_tokens, *each)
        for each in zip(src.flatten(0, -2), dst.flatten(0, -2), strict=True)
    ]
    kept, restored, copies = (
        torch.stack([getattr(each, part) for each in reductions]).view(*src.shape[:-1], -1)
        for part in ("kept", "restored", "copies")
    )
    return (SharedRows if src.dim() == 2 else HeadRows)(src, dst, kept, restored, copies)
