"""LTX-Video: tokens come ready-made, and are turned before the heads are split."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from diffusers.models.transformers.transformer_ltx import apply_rotary_emb
from torch import Tensor, nn

from software.families.base import Call, Family, Grid, Rotary, numbered, split_heads


class LTXVideo(Family):
    """``LTXVideoTransformer3DModel``; text acts through ``attn2``, which is left alone."""

    name = "LTX-Video"
    model = "LTXVideoTransformer3DModel"
    processors = ("LTXVideoAttnProcessor",)

    def attentions(self, model: nn.Module) -> dict[str, nn.Module]:
        """``attn1`` of each block."""
        return numbered(model, "transformer_blocks", "attn1")

    def grid(self, model: Any, given: Mapping[str, Any]) -> Grid:
        """As the pipeline says; one row of tokens where it gives their coordinates instead."""
        if given.get("video_coords") is not None:
            return 1, 1, given["hidden_states"].shape[1]
        return given["num_frames"], given["height"], given["width"]

    def heads(self, attn: Any, rows: Tensor, norm: Any, rotary: Rotary | None) -> Tensor:
        """Normalise and turn over all heads, then split."""
        rows = norm(rows)
        return split_heads(rows if rotary is None else apply_rotary_emb(rows, rotary), attn.heads)

    def rotary_rows(self, rotary: Rotary, rows: Tensor) -> Rotary:
        """Along dimension 1."""
        return rotary[0][:, rows], rotary[1][:, rows]

    def sample(self, call: Call, number: int) -> Call:
        """Angles [B or 1, S, D]: each video may have its own."""
        one = super().sample(call, number)
        if call.rotary is None or len(call.rotary[0]) == 1:
            return one
        cos, sin = (part[number : number + 1] for part in call.rotary)
        return replace(one, rotary=(cos, sin))
