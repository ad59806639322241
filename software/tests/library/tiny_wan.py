"""Tiny transformers of Wan's kind."""

from collections.abc import Callable
from typing import Any

from diffusers import (
    SkyReelsV2Transformer3DModel,
    WanAnimateTransformer3DModel,
    WanTransformer3DModel,
    WanVACETransformer3DModel,
)

from software.tests.library.tiny import Inputs, Tiny, normal

_WAN = {
    "patch_size": (1, 2, 2), "num_attention_heads": 2, "attention_head_dim": 12, "text_dim": 16,
    "freq_dim": 32, "ffn_dim": 32, "cross_attn_norm": True, "qk_norm": "rms_norm_across_heads",
    "rope_max_seq_len": 32,
}  # fmt: skip
"""Sizes of Wan and of those that derive from it."""
_IMAGE = {"image_dim": 14, "added_kv_proj_dim": 24}
"""Those of its cross-attention over an image, which begins behind 512 tokens of text."""


def _wan_like(
    kind: Any, channels: int, sizes: dict[str, Any], more: Callable[[int, int], Inputs]
) -> Tiny:
    """One of Wan's kind, with so many channels of latents and ``more`` inputs."""

    def build() -> Any:
        return kind(in_channels=channels, **_WAN, **sizes)

    def inputs(batch: int, seed: int) -> Inputs:
        text = 512 if "image_dim" in sizes else 7
        return {
            "hidden_states": normal(seed, batch, channels, 3, 8, 10),
            "encoder_hidden_states": normal(seed + 50, batch, text, 16),
            **more(batch, seed),
        }

    return Tiny(build, inputs, (3, 4, 5))


def _nothing(batch: int, seed: int) -> Inputs:
    return {}


def _image(batch: int, seed: int) -> Inputs:
    return {"encoder_hidden_states_image": normal(seed + 70, batch, 2, 14)}


def wan(channels: int = 4, latents: int | None = None) -> Tiny:
    """Wan; channels that it is given, and that it gives, by default as many."""
    sizes = {"num_layers": 2, "out_channels": latents or channels}
    return _wan_like(WanTransformer3DModel, channels, sizes, _nothing)


def wan_of_images(channels: int = 4, latents: int = 4) -> Tiny:
    """Wan with cross-attention over an image; channels that it is given, and that it gives."""
    sizes = {"num_layers": 2, "out_channels": latents, **_IMAGE}
    return _wan_like(WanTransformer3DModel, channels, sizes, _image)


def wan_vace(channels: int = 4, control: int = 6) -> Tiny:
    """Wan VACE: a block, and one of the control branch; channels of latents and of controls."""
    sizes = {"num_layers": 1, "out_channels": channels, "vace_layers": [0],
             "vace_in_channels": control}  # fmt: skip

    def controls(batch: int, seed: int) -> Inputs:
        return {"control_hidden_states": normal(seed + 70, batch, control, 3, 8, 10)}

    return _wan_like(WanVACETransformer3DModel, channels, sizes, controls)


def wan_animate(latents: int = 4) -> Tiny:
    """Wan Animate, with so many latent channels; two frames follow the reference image."""
    sizes = {
        "num_layers": 2, "latent_channels": latents, "out_channels": latents, **_IMAGE,
        "motion_encoder_channel_sizes": {"4": 4, "8": 4, "16": 4}, "motion_encoder_size": 16,
        "motion_style_dim": 6, "motion_dim": 4, "motion_encoder_dim": 6,
        "face_encoder_hidden_dim": 4, "face_encoder_num_heads": 2, "inject_face_latents_blocks": 2,
    }  # fmt: skip

    def faces(batch: int, seed: int) -> Inputs:
        return {
            **_image(batch, seed),
            "pose_hidden_states": normal(seed + 80, batch, latents, 2, 8, 10),
            "face_pixel_values": normal(seed + 90, batch, 3, 5, 16, 16),
        }

    return _wan_like(WanAnimateTransformer3DModel, 2 * latents + 4, sizes, faces)


def skyreels_v2(
    channels: int = 4, latents: int = 4, *, forcing: bool = False, image: bool = False
) -> Tiny:
    """SkyReels V2.

    Args:
        channels: of what it is given.
        latents: of what it gives.
        forcing: with times of each frame's own.
        image: with cross-attention over an image.
    """

    def more(batch: int, seed: int) -> Inputs:
        return {"enable_diffusion_forcing": True} if forcing else {}

    sizes = {"num_layers": 2, "out_channels": latents, **(_IMAGE if image else {})}
    return _wan_like(SkyReelsV2Transformer3DModel, channels, sizes, more)
