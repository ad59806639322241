"""Wan 2.1 and 2.2: no text in self-attention, norms across heads, rotary embedding with a batch."""

from typing import Any

from torch import Tensor, nn

from software.library.families.base import Family, Grid, Rotary, numbered


class Wan(Family):
    """``WanTransformer3DModel``; text acts through ``attn2``, which is left alone."""

    name = "Wan"
    model = "WanTransformer3DModel"
    processors = ("WanAttnProcessor",)
    norm_across_heads = True

    def attentions(self, model: nn.Module) -> dict[str, nn.Module]:
        """``attn1`` of each block."""
        return numbered(model, "blocks", "attn1")

    def patch(self, model: Any) -> Grid:
        """Three sizes in the config."""
        frames, rows, columns = model.config.patch_size
        return frames, rows, columns

    def angles(self, rotary: Rotary, rows: Tensor | None) -> Rotary:
        """From [1, N, 1, d], each twice."""
        cos, sin = (part[0, :, 0] for part in rotary)
        return super().angles((cos, sin), rows)
