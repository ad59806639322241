"""Mochi: video first, text with weights of its own, its padding left out of the sequence."""

from dataclasses import replace
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from software.families.base import Call, Rotary, TorchFamily, numbered, turn_pairs


class Mochi(TorchFamily):
    """``MochiTransformer3DModel``: the mask picks the text rows that take part, for each video."""

    name = "Mochi"
    model = "MochiTransformer3DModel"
    processors = ("MochiAttnProcessor2_0",)

    def attentions(self, model: nn.Module) -> dict[str, nn.Module]:
        """``attn1`` of each block."""
        return numbered(model, "transformer_blocks", "attn1")

    def turn(self, heads: Tensor, rotary: Rotary) -> Tensor:
        """Angles [S, H, d / 2], a head's own, in float32."""
        cos, sin = (part.transpose(0, 1) for part in rotary)
        return turn_pairs(heads.float(), cos, sin).to(heads.dtype)

    def key_mask(self, mask: Tensor) -> Tensor | None:
        """None: rows that are masked are not there."""
        return None

    def sample(self, call: Call, number: int) -> Call:
        """Text without its padding."""
        one = super().sample(call, number)
        assert one.text is not None
        assert one.mask is not None
        return replace(one, text=one.text[:, one.mask[0].flatten().bool()])

    def text_out(self, attn: Any, mixed: Tensor, call: Call) -> Tensor:
        """Rows of the padding come last, as zeros, and are projected as the others."""
        mixed = F.pad(mixed, (0, 0, 0, call.text_tokens - mixed.shape[1]))
        return attn.to_add_out(mixed) if hasattr(attn, "to_add_out") else mixed
