"""Attention written out, which trains faster on a CPU than the fused kernel does."""

from typing import Any

import torch
from torch import Tensor

from software.library.families import CogVideoX, merge_heads, split_heads


class MatmulAttention:
    """Attention as two bfloat16 matrix products, for training only.

    On a CPU the backward pass of the fused kernel takes nearly half of a training step at this
    size (head dimension 32); written out, a whole step takes about three quarters of the time.
    """

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: None = None,
        image_rotary_emb: None = None,
    ) -> tuple[Tensor, Tensor]:
        """Attend over text [B, T, D] and video [B, N, D]; returns (video, text) results."""
        text = encoder_hidden_states.shape[1]
        tokens = torch.cat([encoder_hidden_states, hidden_states], dim=1)
        projections = (attn.to_q, attn.to_k, attn.to_v)
        query, key, value = (split_heads(layer(tokens), attn.heads) for layer in projections)
        query = attn.norm_q(query) * query.shape[-1] ** -0.5
        key = attn.norm_k(key)
        with torch.autocast("cpu", enabled=False):  # autocast would run the softmax in float32
            query, key, value = (part.bfloat16() for part in (query, key, value))
            mixed = (query @ key.transpose(-1, -2)).softmax(-1) @ value
        out = CogVideoX().video_out(attn, merge_heads(mixed).to(tokens.dtype))
        return out[:, text:], out[:, :text]
