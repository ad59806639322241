"""What token reduction must know of a model family's attention, and the parts that most share.

A family names the layers, tells the video's token grid, and takes the model's attention processor
apart: projections, norms and rotary embedding of some video rows, the text's part, SDPA, and the
output projections. Its arithmetic is that of the diffusers processor that it names, which full
steps still call; reduced steps put the parts together over fewer rows.

Layout inside: [B, H, S, d], video and text joined along S.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from diffusers.models.attention_dispatch import (
    AttentionBackendName,
    _AttentionBackendRegistry,
    dispatch_attention_fn,
)
from torch import Tensor, nn
from torch.nn import functional as F

Grid = tuple[int, int, int]
"""Video tokens as (frames, rows, columns); their order is frame-major, then row, then column."""
Rotary = tuple[Tensor, Tensor]
_ADDITIVE = (
    AttentionBackendName.NATIVE,
    AttentionBackendName._NATIVE_CUDNN,
    AttentionBackendName._NATIVE_EFFICIENT,
    AttentionBackendName._NATIVE_MATH,
)
"""Attention backends that add a mask of floats to the scores; the others refuse or misread it."""
QueryKeyValue = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Call:
    """What an attention layer is called with.

    Attributes:
        video: [B, N, C].
        text: [B, T, C'], None where text is not part of this attention.
        mask: as the model gives it, None without one.
        rotary: as the model gives it, None without one.
    """

    video: Tensor
    text: Tensor | None = None
    mask: Tensor | None = None
    rotary: Rotary | None = None

    @property
    def text_tokens(self) -> int:
        """T, 0 without text."""
        return 0 if self.text is None else self.text.shape[1]


class Family:
    """A model family; subclasses state what differs.

    Attributes:
        name: what messages call it.
        model: class name of its transformer in diffusers.
        processors: class names of the attention processors whose arithmetic this is.
        text_first: whether text goes before the video in the joint sequence.
    """

    name: ClassVar[str]
    model: ClassVar[str]
    processors: ClassVar[tuple[str, ...]]
    text_first: ClassVar[bool] = False

    def attentions(self, model: nn.Module) -> dict[str, nn.Module]:
        """The self-attention layers over video tokens, by path, in the order that they run in."""
        raise NotImplementedError

    def grid(self, model: Any, given: Mapping[str, Any]) -> Grid:
        """The video's token grid, from the arguments of the transformer's forward.

        By default from latents [B, channels, frames, height, width] cut into patches.
        """
        patches = self.patch(model)
        frames, height, width = given["hidden_states"].shape[2:]
        return frames // patches[0], height // patches[1], width // patches[2]

    def patch(self, model: Any) -> Grid:
        """Latent frames, rows and columns of one token."""
        size = model.config.patch_size
        return 1, size, size

    def heads(self, attn: Any, rows: Tensor, norm: Any, rotary: Rotary | None) -> Tensor:
        """Split projected rows [B, S, D] into heads, normalise and turn: [B, H, S, d].

        By default each head is normalised for itself.
        """
        split = split_heads(rows, attn.heads)
        split = split if norm is None else norm(split)
        return split if rotary is None else self.turn(split, rotary)

    def turn(self, heads: Tensor, rotary: Rotary) -> Tensor:
        """Apply the rotary embedding to [B, H, S, d]."""
        raise NotImplementedError

    def query(self, attn: Any, rows: Tensor, rotary: Rotary | None) -> Tensor:
        """Q of some video rows: [B, S, C] to [B, H, S, d]."""
        return self.heads(attn, attn.to_q(rows), attn.norm_q, rotary)

    def key(self, attn: Any, rows: Tensor, rotary: Rotary | None) -> Tensor:
        """K, likewise."""
        return self.heads(attn, attn.to_k(rows), attn.norm_k, rotary)

    def value(self, attn: Any, rows: Tensor) -> Tensor:
        """V, likewise."""
        return split_heads(attn.to_v(rows), attn.heads)

    def rotary_rows(self, rotary: Rotary, rows: Tensor) -> Rotary:
        """Take the rotary embedding of some video rows, int64 [S]."""
        return rotary[0][rows], rotary[1][rows]

    def text_qkv(self, attn: Any, text: Tensor) -> QueryKeyValue:
        """Q, K and V of text that takes part [B, T, C'], each [B, H, T, d]; never turned.

        By weights of its own where the layer has some, by the video's otherwise.
        """
        if getattr(attn, "add_q_proj", None) is None:
            return self.query(attn, text, None), self.key(attn, text, None), self.value(attn, text)
        return (
            self.heads(attn, attn.add_q_proj(text), attn.norm_added_q, None),
            self.heads(attn, attn.add_k_proj(text), attn.norm_added_k, None),
            split_heads(attn.add_v_proj(text), attn.heads),
        )

    def key_mask(self, mask: Tensor) -> Tensor | None:
        """SDPA's mask over the keys of the joint sequence, [1, 1, 1, N + T], from one video's."""
        raise ValueError(
            f"{self.name}'s self-attention was given a mask of shape {list(mask.shape)}; diffusers"
            " gives it none, and token reduction knows none."
        )

    def sample(self, call: Call, number: int) -> Call:
        """The call of one video of the batch."""
        one = slice(number, number + 1)
        return replace(
            call,
            video=call.video[one],
            text=None if call.text is None else call.text[one],
            mask=call.mask if call.mask is None or len(call.mask) == 1 else call.mask[one],
        )

    def check_bias(self, processor: Any) -> None:
        """Refuse an attention backend that does not take a mask that is added to the scores.

        Raises:
            ValueError: it is such a one.
        """
        backend = processor._attention_backend or _AttentionBackendRegistry.get_active_backend()[0]
        if backend not in _ADDITIVE:
            raise ValueError(
                f"attention backend {AttentionBackendName(backend).value} does not add a mask to "
                "the scores, as proportional attention needs: choose another, or "
                "proportional=False."
            )

    def sdpa(
        self, processor: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None
    ) -> Tensor:
        """Scaled dot-product attention, by the backend that the model is set to."""
        mixed: Tensor = dispatch_attention_fn(
            *(part.transpose(1, 2) for part in (query, key, value)),
            attn_mask=mask,
            dropout_p=0.0,
            is_causal=False,
            backend=processor._attention_backend,
        )
        return mixed.transpose(1, 2).to(query.dtype)

    def video_out(self, attn: Any, mixed: Tensor) -> Tensor:
        """Project SDPA's output of video rows [B, S, D]."""
        for layer in attn.to_out:
            mixed = layer(mixed)
        return mixed

    def text_out(self, attn: Any, mixed: Tensor, call: Call) -> Tensor:
        """Project SDPA's output of the text rows, likewise."""
        return mixed

    def result(self, video: Tensor, text: Tensor | None) -> Any:
        """What the attention layer returns: video, and text where it takes part."""
        return video if text is None else (video, text)

    def watched(self, attn: Any) -> nn.Module | None:
        """The module whose input is SDPA's output; None where the layer itself returns it."""
        module: nn.Module = attn.to_out[0]
        return module

    def video_rows(self, mixed: Tensor, call: Call) -> Tensor:
        """The video's part of what ``watched`` was given."""
        return mixed


class TorchFamily(Family):
    """A family whose processors call torch's SDPA themselves, whatever backend is set."""

    def check_bias(self, processor: Any) -> None:
        """Torch takes any mask."""

    def sdpa(
        self, processor: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None
    ) -> Tensor:
        """Torch's own."""
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)


def split_heads(rows: Tensor, count: int) -> Tensor:
    """[B, S, count d] to [B, count, S, d]."""
    return rows.reshape(*rows.shape[:-1], count, rows.shape[-1] // count).transpose(1, 2)


def merge_heads(heads: Tensor) -> Tensor:
    """[B, H, S, d] to [B, S, H d]."""
    return heads.transpose(1, 2).flatten(2)


def numbered(model: nn.Module, blocks: str, attention: str) -> dict[str, nn.Module]:
    """The attention layer of each block of a module list, by path."""
    return {
        f"{blocks}.{number}.{attention}": getattr(block, attention)
        for number, block in enumerate(getattr(model, blocks))
    }


def turn_pairs(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn channels (2 i, 2 i + 1) of [..., d] by angles [..., d / 2], in the angles' precision."""
    even, odd = heads[..., ::2], heads[..., 1::2]
    turned = torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1)
    return turned.flatten(-2).to(heads.dtype)
