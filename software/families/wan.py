"""Wan 2.1 and 2.2: no text in self-attention, norms across heads, rotary embedding with a batch."""

from typing import Any

from torch import Tensor, nn

from software.families.base import Family, Grid, Rotary, numbered, split_heads, turn_pairs


class Wan(Family):
    """``WanTransformer3DModel``; text acts through ``attn2``, which is left alone."""

    name = "Wan"
    model = "WanTransformer3DModel"
    processors = ("WanAttnProcessor",)

    def attentions(self, model: nn.Module) -> dict[str, nn.Module]:
        """``attn1`` of each block."""
        return numbered(model, "blocks", "attn1")

    def patch(self, model: Any) -> Grid:
        """Three sizes in the config."""
        frames, rows, columns = model.config.patch_size
        return frames, rows, columns

    def heads(self, attn: Any, rows: Tensor, norm: Any, rotary: Rotary | None) -> Tensor:
        """Normalise over all heads, then split and turn."""
        split = split_heads(norm(rows), attn.heads)
        return split if rotary is None else self.turn(split, rotary)

    def turn(self, heads: Tensor, rotary: Rotary) -> Tensor:
        """Angles [1, S, 1, d], each twice."""
        cos, sin = (part.transpose(1, 2)[..., ::2] for part in rotary)
        return turn_pairs(heads, cos, sin)

    def rotary_rows(self, rotary: Rotary, rows: Tensor) -> Rotary:
        """Along dimension 1."""
        return rotary[0][:, rows], rotary[1][:, rows]
