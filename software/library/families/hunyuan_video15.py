"""HunyuanVideo 1.5: dual-stream blocks alone, and a mask over the text alone."""

from torch import Tensor, nn

from software.library.families.base import AttentionCall, joint_mask, numbered
from software.library.families.hunyuan_video import HunyuanVideo


class HunyuanVideo15(HunyuanVideo):
    """``HunyuanVideo15Transformer3DModel``: the mask, [B, T], names the text tokens that take part.

    Text is the prompt's, glyphs' and image's tokens. The model masks the others as queries too,
    which only their own results show, and nobody reads those.
    """

    name = "HunyuanVideo 1.5"
    model = "HunyuanVideo15Transformer3DModel"
    processors = ("HunyuanVideo15AttnProcessor2_0",)

    def attentions(self, model: nn.Module) -> dict[str, nn.Module]:
        """``attn`` of each block."""
        return numbered(model, "transformer_blocks", "attn")

    def key_mask(self, call: AttentionCall) -> Tensor | None:
        """All of the video, and the text as its mask says."""
        assert call.mask is not None
        return joint_mask(call, call.mask.bool())
