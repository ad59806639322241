"""CogVideoX: text first, one projection for text and video, SDPA of torch itself."""

from collections.abc import Mapping
from typing import Any

from diffusers.models.embeddings import apply_rotary_emb
from torch import Tensor, nn
from torch.nn import functional as F

from software.families.base import Call, Family, Grid, QueryKeyValue, Rotary, numbered


class CogVideoX(Family):
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

    def turn(self, heads: Tensor, rotary: Rotary) -> Tensor:
        """Angles [S, d]."""
        turned: Tensor = apply_rotary_emb(heads, rotary)
        return turned

    def text_qkv(self, attn: Any, text: Tensor) -> QueryKeyValue:
        """As the video's, but not turned."""
        return (
            self.query(attn, text, None),
            self.key(attn, text, None),
            self.value(attn, text),
        )

    def sdpa(
        self, processor: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None
    ) -> Tensor:
        """Torch's own, whatever backend is set."""
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)

    def text_out(self, attn: Any, mixed: Tensor, call: Call) -> Tensor:
        """As the video's."""
        return self.video_out(attn, mixed)

    def result(self, video: Tensor, text: Tensor | None) -> Any:
        """Video and text."""
        return video, text

    def video_rows(self, mixed: Tensor, call: Call) -> Tensor:
        """What comes after the text."""
        return mixed[:, call.text_tokens :]
