"""HunyuanVideo: video first, two kinds of blocks, a key mask over the text's padding."""

from typing import Any

from torch import Tensor, nn

from software.library.families.base import AttentionCall, Family, Grid, numbered


class HunyuanVideo(Family):
    """``HunyuanVideoTransformer3DModel``.

    Dual-stream blocks project the text by weights of its own; single-stream ones share the video's,
    and leave the output projection to the block. The token refiner's attention is not listed.
    """

    name = "HunyuanVideo"
    model = "HunyuanVideoTransformer3DModel"
    processors = ("HunyuanVideoAttnProcessor2_0",)

    def attentions(self, model: nn.Module) -> dict[str, nn.Module]:
        """``attn`` of the dual-stream blocks, then of the single-stream ones."""
        return numbered(model, "transformer_blocks", "attn") | numbered(
            model, "single_transformer_blocks", "attn"
        )

    def patch(self, model: Any) -> Grid:
        """Several frames to a patch are possible."""
        size = model.config.patch_size
        return model.config.patch_size_t, size, size

    def key_mask(self, call: AttentionCall) -> Tensor | None:
        """As it is: false for the text's padding."""
        return call.mask

    def video_out(self, attn: Any, mixed: Tensor) -> Tensor:
        """Single-stream blocks project later, together with their feed-forward."""
        return mixed if self.watched(attn) is None else super().video_out(attn, mixed)

    def watched(self, attn: Any) -> nn.Module | None:
        """None in single-stream blocks."""
        return None if getattr(attn, "to_out", None) is None else super().watched(attn)
