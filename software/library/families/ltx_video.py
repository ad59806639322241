"""LTX-Video: tokens come ready-made; norms and rotary embedding reach across heads."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from software.library.families.base import Family, Grid, Rotary, numbered
from software.library.families.heads import split_heads


class LTXVideo(Family):
    """``LTXVideoTransformer3DModel``; text acts through ``attn2``, which is left alone."""

    name = "LTX-Video"
    model = "LTXVideoTransformer3DModel"
    processors = ("LTXVideoAttnProcessor",)
    norm_across_heads = True
    limits = (
        "Where a pipeline gives the tokens' coordinates instead of the video's size, as "
        "LTXConditionPipeline does, all lie in one row: the blocks from which BSM and AsymRnR draw "
        "dst tokens are stretches of it. LTXI2VLongMultiPromptPipeline announces a step more than "
        "it makes, so that `last_full_steps` counts from one that is not run."
    )

    def attentions(self, model: nn.Module) -> dict[str, nn.Module]:
        """``attn1`` of each block."""
        return numbered(model, "transformer_blocks", "attn1")

    def grid(self, model: Any, given: Mapping[str, Any]) -> Grid:
        """As the pipeline says; one row of tokens where it gives their coordinates instead."""
        if given.get("video_coords") is not None:
            return 1, 1, given["hidden_states"].shape[1]
        return given["num_frames"], given["height"], given["width"]

    def heads(self, attn: Any, projected: Tensor, norm: Any, angles: Rotary | None) -> Tensor:
        """Angles of all heads in one row are split as the channels are."""
        if angles is not None:
            cos, sin = (split_heads(part, attn.heads) for part in angles)
            angles = cos, sin
        return super().heads(attn, projected, norm, angles)

    def angles(self, rotary: Rotary, rows: Tensor | None) -> Rotary:
        """From [B or 1, N, D], each twice: [B or 1, S, D / 2], a video's own."""
        cos, sin = (part[..., ::2] for part in rotary)
        if rows is not None:
            cos, sin = (torch.take_along_dim(part, rows[..., None], 1) for part in (cos, sin))
        return cos, sin
