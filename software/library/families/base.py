"""What token reduction must know of a model family's attention, and the parts that most share.

A family names the layers, tells the video's token grid, and takes the model's attention processor
apart: projections, norms and rotary embedding of some video rows, the text's part, SDPA, and the
output projections. Its arithmetic is that of the diffusers processor that it names, which full
calls still use; reduced calls put the parts together over fewer rows.

Shapes: B videos, N video tokens of which S are kept, T text tokens, H heads of d channels, D = H d
inner channels, C channels of a state.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from diffusers.models.attention_dispatch import (
    AttentionBackendName,
    _AttentionBackendRegistry,
    dispatch_attention_fn,
)
from torch import Tensor, nn
from torch.nn import functional as F

from software.library.families.heads import split_heads, turn_pairs

Grid = tuple[int, int, int]
"""Video tokens as (frames, rows, columns); their order is frame-major, then row, then column."""
Rotary = tuple[Tensor, Tensor]
"""Cosines and sines, as the model makes them."""
_ADDITIVE = (
    AttentionBackendName.NATIVE,
    AttentionBackendName._NATIVE_CUDNN,
    AttentionBackendName._NATIVE_EFFICIENT,
    AttentionBackendName._NATIVE_MATH,
)
"""Attention backends that add a mask of floats to the scores; the others refuse or misread it."""


@dataclass(frozen=True)
class AttentionCall:
    """What an attention layer is called with.

    Attributes:
        video: [B, N, C].
        text: [B, T, C'], None where text is no part of this attention.
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
        norm_across_heads: whether Q and K are normalised before they are split into heads.
        limits: what of it is not supported, or works otherwise than one would think: a sentence.
    """

    name: ClassVar[str]
    model: ClassVar[str]
    processors: ClassVar[tuple[str, ...]]
    text_first: ClassVar[bool] = False
    norm_across_heads: ClassVar[bool] = False
    limits: ClassVar[str] = ""

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

    def angles(self, rotary: Rotary, rows: Tensor | None) -> Rotary:
        """Cosines and sines, a pair of channels each, of kept rows: [B or 1, 1 or H, S, d / 2].

        By default from [N, d], each angle twice.

        Args:
            rotary: as the model gives it.
            rows: int64 [B, S], None for all.
        """
        cos, sin = (part[None] if rows is None else part[rows] for part in rotary)
        return cos[:, None, :, ::2], sin[:, None, :, ::2]

    def heads(self, attn: Any, projected: Tensor, norm: Any, angles: Rotary | None) -> Tensor:
        """Split projected rows [B, S, D] into heads, normalised and turned: [B, H, S, d]."""
        if norm is not None and self.norm_across_heads:
            projected, norm = norm(projected), None
        heads = split_heads(projected, attn.heads)
        heads = heads if norm is None else norm(heads)
        return heads if angles is None else turn_pairs(heads, *angles)

    def query(self, attn: Any, rows: Tensor, angles: Rotary | None) -> Tensor:
        """Q of video rows: [B, S, C] to [B, H, S, d]."""
        return self.heads(attn, attn.to_q(rows), attn.norm_q, angles)

    def key(self, attn: Any, rows: Tensor, angles: Rotary | None) -> Tensor:
        """K, likewise."""
        return self.heads(attn, attn.to_k(rows), attn.norm_k, angles)

    def value(self, attn: Any, rows: Tensor) -> Tensor:
        """V, likewise."""
        return split_heads(attn.to_v(rows), attn.heads)

    def text_qkv(self, attn: Any, text: Tensor) -> tuple[Tensor, Tensor, Tensor]:
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

    def key_mask(self, call: AttentionCall) -> Tensor | None:
        """Which keys of the joint sequence take part, bool [B, 1, 1, N + T]; None if all do."""
        if call.mask is None:
            return None
        raise ValueError(
            f"{self.name}'s self-attention was given a mask of shape {list(call.mask.shape)}; "
            "diffusers gives it none, and token reduction knows none."
        )

    def is_fused(self, attn: Any) -> bool:
        """Whether a layer's own processor projects to Q, K and V at once."""
        fused: bool = getattr(attn, "fused_projections", False)
        return fused

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

    def text_out(self, attn: Any, mixed: Tensor, call: AttentionCall) -> Tensor:
        """Project SDPA's output of the text rows [B, T, D]."""
        return attn.to_add_out(mixed) if getattr(attn, "to_add_out", None) else mixed

    def result(self, video: Tensor, text: Tensor | None) -> Any:
        """What the attention layer returns: video, and text where it takes part."""
        return video if text is None else (video, text)

    def watched(self, attn: Any) -> nn.Module | None:
        """The module whose input is SDPA's output; None where the layer itself returns it."""
        module: nn.Module = attn.to_out[0]
        return module

    def video_rows(self, mixed: Tensor, call: AttentionCall) -> Tensor:
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


def joint_mask(call: AttentionCall, text: Tensor) -> Tensor | None:
    """A key mask of the joint sequence, video first, from one of the text, bool [B, T].

    None if all take part.
    """
    if bool(text.all()):
        return None
    video = text.new_ones(len(text), call.video.shape[1])
    return torch.cat([video, text], dim=1)[:, None, None]


def numbered(model: nn.Module, blocks: str, attention: str) -> dict[str, nn.Module]:
    """The attention layer of each block of a module list, by path."""
    return {
        f"{blocks}.{number}.{attention}": getattr(block, attention)
        for number, block in enumerate(getattr(model, blocks))
    }
