"""Wan 2.1 and 2.2, and the models that share their attention.

No text in self-attention, norms across heads, rotary embedding with a batch. Text, images and faces
act through cross-attention, which is left alone.
"""

from typing import Any

from torch import Tensor, nn

from software.library.families.base import Family, Grid, Rotary, numbered


class Wan(Family):
    """``WanTransformer3DModel``, of text, image and video to video."""

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


class WanVACE(Wan):
    """``WanVACETransformer3DModel``.

    The blocks of the control branch have the video's grid: control tokens are padded to the video's
    number, and have its rotary embedding.
    """

    name = "Wan VACE"
    model = "WanVACETransformer3DModel"

    def attentions(self, model: nn.Module) -> dict[str, nn.Module]:
        """``attn1`` of each block of the control branch, which runs first, then of the others."""
        return numbered(model, "vace_blocks", "attn1") | super().attentions(model)


class WanAnimate(Wan):
    """``WanAnimateTransformer3DModel``; its reference image is a frame more of the video's."""

    name = "Wan Animate"
    model = "WanAnimateTransformer3DModel"
    limits = "The reference image's tokens are matched and dropped as the video's are."
