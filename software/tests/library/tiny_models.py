"""Tiny transformers of every supported family, with random weights, and inputs for them.

Sizes are chosen so that frames, rows, columns, heads and text differ from each other: a mix-up of
two axes cannot go unnoticed.
"""

from typing import Any

import torch
from diffusers import (
    CogVideoXTransformer3DModel,
    LTXVideoTransformer3DModel,
    MochiTransformer3DModel,
)
from torch import Tensor, nn

from software.tests.library.tiny import Inputs, Tiny, keep, normal
from software.tests.library.tiny_hunyuan import framepack, hunyuan_video, hunyuan_video15
from software.tests.library.tiny_wan import skyreels_v2, wan, wan_animate, wan_of_images, wan_vace


def run(model: nn.Module, inputs: Inputs, time: float = 500.0) -> Tensor:
    """One call of the model, the time going down from 1,000 as in pipelines."""
    latents = inputs["hidden_states"]
    timestep = torch.full((len(latents),), time, dtype=latents.dtype)
    if inputs.get("enable_diffusion_forcing"):  # earlier frames are ahead
        timestep = timestep[:, None] * torch.linspace(0.5, 1, latents.shape[2])
    found: Tensor = model(**inputs, timestep=timestep, return_dict=False)[0]
    return found


def _cogvideox(rotary: bool) -> Tiny:
    def build() -> Any:
        return CogVideoXTransformer3DModel(
            num_attention_heads=2, attention_head_dim=16, in_channels=3, out_channels=3,
            time_embed_dim=8, text_embed_dim=8, num_layers=2, sample_width=10, sample_height=8,
            sample_frames=3, patch_size=2, temporal_compression_ratio=1, max_text_seq_length=7,
            use_rotary_positional_embeddings=rotary,
        )  # fmt: skip

    def inputs(batch: int, seed: int) -> Inputs:
        given: Inputs = {
            "hidden_states": normal(seed, batch, 3, 3, 8, 10),
            "encoder_hidden_states": normal(seed + 50, batch, 7, 8),
        }
        if rotary:
            angle = torch.arange(60)[:, None] * torch.linspace(0.1, 1, 8).repeat_interleave(2)
            given["image_rotary_emb"] = (angle.cos(), angle.sin())
        return given

    return Tiny(build, inputs, (3, 4, 5), 7, text_first=True)


def cogvideox15(channels: int = 3, text: int = 8) -> Tiny:
    """CogVideoX 1.5 for images to videos: patches of two frames; half of the channels are images'.

    Args:
        channels: of the latents.
        text: channels of the text embeddings.
    """

    def build() -> Any:
        return CogVideoXTransformer3DModel(
            num_attention_heads=2, attention_head_dim=16, in_channels=2 * channels,
            out_channels=channels, time_embed_dim=8, text_embed_dim=text, ofs_embed_dim=8,
            num_layers=2, sample_width=10, sample_height=8, sample_frames=6, patch_size=2,
            patch_size_t=2, patch_bias=False, temporal_compression_ratio=4, max_text_seq_length=7,
            use_rotary_positional_embeddings=True,
        )  # fmt: skip

    def inputs(batch: int, seed: int) -> Inputs:
        angle = torch.arange(60)[:, None] * torch.linspace(0.1, 1, 8).repeat_interleave(2)
        return {
            "hidden_states": normal(seed, batch, 6, 2 * channels, 8, 10),
            "encoder_hidden_states": normal(seed + 50, batch, 7, text),
            "image_rotary_emb": (angle.cos(), angle.sin()),
            "ofs": torch.full((1,), 2.0),
        }

    return Tiny(build, inputs, (3, 4, 5), 7, text_first=True)


def _ltx_video() -> Tiny:
    def build() -> Any:
        return LTXVideoTransformer3DModel(
            in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=8,
            cross_attention_dim=16, num_layers=2, caption_channels=16,
        )  # fmt: skip

    def inputs(batch: int, seed: int) -> Inputs:
        return {
            "hidden_states": normal(seed, batch, 60, 4),
            "encoder_hidden_states": normal(seed + 50, batch, 7, 16),
            "encoder_attention_mask": keep(batch, 7).long(),
            "num_frames": 3, "height": 4, "width": 5,
        }  # fmt: skip

    return Tiny(build, inputs, (3, 4, 5))


def _mochi() -> Tiny:
    def build() -> Any:
        return MochiTransformer3DModel(
            patch_size=2, num_attention_heads=2, attention_head_dim=8, num_layers=2,
            pooled_projection_dim=16, in_channels=4, qk_norm="rms_norm", text_embed_dim=16,
            time_embed_dim=4, activation_fn="swiglu", max_sequence_length=7,
        )  # fmt: skip

    def inputs(batch: int, seed: int) -> Inputs:
        return {
            "hidden_states": normal(seed, batch, 4, 3, 8, 10),
            "encoder_hidden_states": normal(seed + 50, batch, 7, 16),
            "encoder_attention_mask": keep(batch, 7),
        }

    return Tiny(build, inputs, (3, 4, 5), 7)


TINY: dict[str, Tiny] = {
    "cogvideox": _cogvideox(rotary=False),
    "cogvideox-rotary": _cogvideox(rotary=True),
    "cogvideox-1.5": cogvideox15(),
    "hunyuanvideo": hunyuan_video(),
    "hunyuanvideo-i2v": hunyuan_video("token_replace"),
    "hunyuanvideo-1.5": hunyuan_video15(),
    "framepack": framepack(),
    "wan": wan(),
    "wan-i2v": wan_of_images(),
    "wan-vace": wan_vace(),
    "wan-animate": wan_animate(),
    "skyreels-v2": skyreels_v2(),
    "skyreels-v2-forcing": skyreels_v2(forcing=True),
    "ltx-video": _ltx_video(),
    "mochi": _mochi(),
}
VARIANTS = (
    "cogvideox-rotary", "cogvideox-1.5", "hunyuanvideo-i2v", "wan-i2v", "skyreels-v2-forcing",
)  # fmt: skip
"""Those that are held to the definition alone: elsewhere one of their family stands for them."""
