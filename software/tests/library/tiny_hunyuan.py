"""Tiny transformers of HunyuanVideo's kind."""

from typing import Any

import torch
from diffusers import (
    HunyuanVideo15Transformer3DModel,
    HunyuanVideoFramepackTransformer3DModel,
    HunyuanVideoTransformer3DModel,
)

from software.tests.library.tiny import Inputs, Tiny, keep, normal


def hunyuan_video(condition: str | None = None, channels: int = 4) -> Tiny:
    """HunyuanVideo.

    Args:
        condition: how it takes an image, if it does; with ``token_replace`` the first frame's
            tokens are normalised and gated apart from the others.
        channels: of the latents that it is given; the image's may be among them.
    """

    def build() -> Any:
        return HunyuanVideoTransformer3DModel(
            in_channels=channels, out_channels=4, num_attention_heads=2, attention_head_dim=10,
            num_layers=1, num_single_layers=1, num_refiner_layers=1, patch_size=2, patch_size_t=1,
            guidance_embeds=True, text_embed_dim=16, pooled_projection_dim=8,
            rope_axes_dim=(2, 4, 4), image_condition_type=condition,
        )  # fmt: skip

    def inputs(batch: int, seed: int) -> Inputs:
        return {
            "hidden_states": normal(seed, batch, channels, 3, 8, 10),
            "encoder_hidden_states": normal(seed + 50, batch, 7, 16),
            "encoder_attention_mask": keep(batch, 7).long(),
            "pooled_projections": normal(seed + 90, batch, 8),
            "guidance": torch.full((batch,), 6000.0),
        }

    return Tiny(build, inputs, (3, 4, 5), 7)


def hunyuan_video15(channels: int = 4, latents: int = 4) -> Tiny:
    """HunyuanVideo 1.5.

    Args:
        channels: of what it is given: the latents', the image's, and a mask's.
        latents: of what it gives.
    """

    def build() -> Any:
        return HunyuanVideo15Transformer3DModel(
            in_channels=channels, out_channels=latents, num_attention_heads=2,
            attention_head_dim=10, num_layers=2, num_refiner_layers=1, patch_size=1,
            text_embed_dim=16, text_embed_2_dim=12, image_embed_dim=14, rope_axes_dim=(2, 4, 4),
            target_size=80,
        )  # fmt: skip

    def inputs(batch: int, seed: int) -> Inputs:
        return {
            "hidden_states": normal(seed, batch, channels, 3, 4, 5),
            "encoder_hidden_states": normal(seed + 50, batch, 7, 16),
            "encoder_attention_mask": keep(batch, 7),
            "encoder_hidden_states_2": normal(seed + 60, batch, 6, 12),
            "encoder_attention_mask_2": keep(batch, 6),
            "image_embeds": normal(seed + 70, batch, 2, 14),
        }

    return Tiny(build, inputs, (3, 4, 5), 15)


def framepack() -> Tiny:
    """HunyuanVideo Framepack: 60 tokens of the video, 20 + 12 + 2 of what was before."""

    def build() -> Any:
        return HunyuanVideoFramepackTransformer3DModel(
            in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=10,
            num_layers=1, num_single_layers=1, num_refiner_layers=1, patch_size=2, patch_size_t=1,
            guidance_embeds=True, text_embed_dim=16, pooled_projection_dim=8,
            rope_axes_dim=(2, 4, 4), has_image_proj=True, image_proj_dim=12,
            has_clean_x_embedder=True,
        )  # fmt: skip

    def inputs(batch: int, seed: int) -> Inputs:
        return {
            "hidden_states": normal(seed, batch, 4, 3, 8, 10),
            "encoder_hidden_states": normal(seed + 50, batch, 7, 16),
            "encoder_attention_mask": keep(batch, 7).long(),
            "pooled_projections": normal(seed + 90, batch, 8),
            "guidance": torch.full((batch,), 6000.0),
            "image_embeds": normal(seed + 70, batch, 2, 12),
            "indices_latents": torch.arange(8, 11),
            "latents_clean": normal(seed + 10, batch, 4, 1, 8, 10),
            "indices_latents_clean": torch.arange(7, 8),
            "latents_history_2x": normal(seed + 20, batch, 4, 3, 8, 10),
            "indices_latents_history_2x": torch.arange(4, 7),
            "latents_history_4x": normal(seed + 30, batch, 4, 4, 8, 10),
            "indices_latents_history_4x": torch.arange(4),
        }

    return Tiny(build, inputs, (1, 1, 94), 9)
