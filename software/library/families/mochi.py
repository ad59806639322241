"""Mochi: video first, text with weights of its own, its padding no part of the attention."""

from typing import Any

import torch
from torch import Tensor, nn

from software.library.families.base import (
    AttentionCall,
    Rotary,
    TorchFamily,
    joint_mask,
    numbered,
)


class Mochi(TorchFamily):
    """``MochiTransformer3DModel``: the mask, [B, T], names the text tokens that take part.

    The model leaves the others out of the sequence; here they are masked as keys, which is the
    same to all other rows, and their own results are made what the model has in their place.
    """

    name = "Mochi"
    model = "MochiTransformer3DModel"
    processors = ("MochiAttnProcessor2_0",)

    def attentions(self, model: nn.Module) -> dict[str, nn.Module]:
        """``attn1`` of each block."""
        return numbered(model, "transformer_blocks", "attn1")

    def angles(self, rotary: Rotary, rows: Tensor | None) -> Rotary:
        """From [N, H, d / 2], a head's own."""
        cos, sin = (part[None] if rows is None else part[rows] for part in rotary)
        return cos.transpose(1, 2), sin.transpose(1, 2)

    def key_mask(self, call: AttentionCall) -> Tensor | None:
        """All of the video, and the text as its mask says."""
        return joint_mask(call, _text_mask(call))

    def text_out(self, attn: Any, mixed: Tensor, call: AttentionCall) -> Tensor:
        """The rows that take part come first, then zeros; all are projected."""
        text = _text_mask(call)
        order = text.byte().argsort(dim=1, descending=True, stable=True)
        mixed = torch.take_along_dim(mixed * text[..., None], order[..., None], 1)
        return super().text_out(attn, mixed, call)


def _text_mask(call: AttentionCall) -> Tensor:
    """Bool [B, T]."""
    assert call.mask is not None
    return call.mask.flatten(1).bool()
