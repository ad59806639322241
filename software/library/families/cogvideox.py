"""CogVideoX: text first, one projection for text and video, SDPA of torch itself."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from software.library.families.base import AttentionCall, Grid, TorchFamily, numbered


class CogVideoX(TorchFamily):
    """``CogVideoXTransformer3DModel``: latents come as [B, frames, channels, height, width]."""

    name = "CogVideoX"
    model = "CogVideoXTransformer3DModel"
    processors = ("CogVideoXAttnProcessor2_0",)
    text_first = True

    def attentions(self, model: nn.Module) -> dict[str, nn.Module]:
        """``attn1`` of each block."""
        return numbered(model, "transformer_blocks", "attn1")

    def grid(self, model: Any, given: Mapping[str, Any]) -> Grid:
        """Version 1.5 has patches of several frames as well."""
        frames, _, height, width = given["hidden_states"].shape[1:]
        size, frames_a_patch = model.config.patch_size, model.config.patch_size_t or 1
        return frames // frames_a_patch, height // size, width // size

    def is_fused(self, attn: Any) -> bool:
        """Fused layers have another processor; the flag stays when they are unfused."""
        return False

    def text_out(self, attn: Any, mixed: Tensor, call: AttentionCall) -> Tensor:
        """As the video's."""
        return self.video_out(attn, mixed)

    def video_rows(self, mixed: Tensor, call: AttentionCall) -> Tensor:
        """What comes after the text."""
        return mixed[:, call.text_tokens :]
