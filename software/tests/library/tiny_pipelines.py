"""Diffusers pipelines of every family around the tiny transformers: no text encoder, no decoder.

They run the real denoising loops, schedulers, guidance, cache contexts and resets, from prompt
embeddings to latents.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from diffusers import (
    CogVideoXDDIMScheduler,
    CogVideoXPipeline,
    CogVideoXTransformer3DModel,
    FlowMatchEulerDiscreteScheduler,
    HunyuanVideoPipeline,
    LTXPipeline,
    MochiPipeline,
    SkyReelsV2Pipeline,
    WanPipeline,
)
from torch import Tensor

from software.tests.library.tiny import Tiny, normal
from software.tests.library.tiny_models import TINY
from software.tests.library.tiny_wan import skyreels_v2, wan

STEPS = 8
SIZE = {"height": 64, "width": 80}
PIXELS = {"num_frames": 9, **SIZE}


@dataclass(frozen=True)
class TinyPipeline:
    """A pipeline, and the arguments of a call: what is common, and how guidance is turned on.

    Attributes:
        make: builds it.
        given: arguments of every call.
        guided: further ones with which it guides, by a second prompt.
        passes: calls of the transformer a step then: 1 where guidance is one batch of two.
    """

    make: Callable[[], Any]
    given: dict[str, Any]
    guided: dict[str, Any]
    passes: int

    def pipe(self) -> Any:
        """The pipeline, silent."""
        pipe = self.make()
        pipe.set_progress_bar_config(disable=True)
        return pipe

    def run(self, pipe: Any, *, guided: bool, **more: Any) -> Tensor:
        """Latents of a call that takes ``STEPS`` steps."""
        given = {**self.given, **(self.guided if guided else {}), **more}
        found: Any = pipe(
            num_inference_steps=STEPS, output_type="latent", return_dict=False,
            generator=torch.Generator().manual_seed(0), **given,
        )[0]  # fmt: skip
        latents: Tensor = found[-1] if isinstance(found, list) else found  # after each section
        return latents


def euler() -> Any:
    """A scheduler of rectified flow."""
    return FlowMatchEulerDiscreteScheduler(shift=3.0)


def cogvideox(channels: int = 4) -> Tiny:
    """CogVideoX with four channels of latents, or more; nine frames of pixels make three of them.

    Args:
        channels: of what it is given.
    """

    def build() -> Any:
        return CogVideoXTransformer3DModel(
            num_attention_heads=2, attention_head_dim=16, in_channels=channels, out_channels=4,
            time_embed_dim=8, text_embed_dim=16, num_layers=2, sample_width=10, sample_height=8,
            sample_frames=9, patch_size=2, temporal_compression_ratio=4, max_text_seq_length=7,
        )  # fmt: skip

    return replace(TINY["cogvideox"], build=build)


def _cogvideox() -> Any:
    return CogVideoXPipeline(None, None, None, cogvideox().model(), CogVideoXDDIMScheduler())


def wan_pipeline(*, experts: int = 1) -> Any:
    """Wan's pipeline; with two experts, Wan 2.2's: the second one takes over half-way."""
    tiny = wan(channels=16)
    second = {"transformer_2": tiny.model(), "boundary_ratio": 0.8} if experts == 2 else {}
    return WanPipeline(None, None, None, euler(), tiny.model(), **second)


def _hunyuan_video() -> Any:
    scheduler = FlowMatchEulerDiscreteScheduler(shift=7.0)
    model = TINY["hunyuanvideo"].model()
    return HunyuanVideoPipeline(None, None, model, None, scheduler, None, None)


def _skyreels_v2() -> Any:
    return SkyReelsV2Pipeline(None, None, skyreels_v2(16, 16).model(), None, euler())


def _ltx_video() -> Any:
    model = TINY["ltx-video"].model()
    return LTXPipeline(FlowMatchEulerDiscreteScheduler(), None, None, None, model)


def _mochi() -> Any:
    scheduler = FlowMatchEulerDiscreteScheduler(invert_sigmas=True)
    return MochiPipeline(scheduler, None, None, None, TINY["mochi"].model())


PROMPT, OTHER = normal(7, 1, 7, 16), normal(8, 1, 7, 16)
EMBEDS = {"prompt_embeds": PROMPT}
ALL, SOME = torch.ones(1, 7, dtype=torch.bool), torch.arange(7)[None] < 4
_MASKED = {**EMBEDS, "prompt_attention_mask": ALL}
_UNGUIDED = {"guidance_scale": 1.0}
NEGATIVE = {"negative_prompt_embeds": OTHER, "guidance_scale": 4.0}
NEGATIVE_MASKED = {**NEGATIVE, "negative_prompt_attention_mask": SOME}

PIPELINES: dict[str, TinyPipeline] = {
    "cogvideox": TinyPipeline(
        _cogvideox, {**EMBEDS, **_UNGUIDED, **PIXELS}, NEGATIVE, 1
    ),
    "hunyuanvideo": TinyPipeline(
        _hunyuan_video,
        {**_MASKED, "pooled_prompt_embeds": normal(9, 1, 8), **PIXELS},
        {"negative_prompt_embeds": OTHER, "negative_pooled_prompt_embeds": normal(6, 1, 8),
         "negative_prompt_attention_mask": SOME, "true_cfg_scale": 4.0},
        2,
    ),
    "wan": TinyPipeline(
        wan_pipeline, {**EMBEDS, **_UNGUIDED, **PIXELS}, NEGATIVE, 2
    ),
    "skyreels-v2": TinyPipeline(
        _skyreels_v2, {**EMBEDS, **_UNGUIDED, **PIXELS}, NEGATIVE, 2
    ),
    "ltx-video": TinyPipeline(
        _ltx_video,
        {**_MASKED, **_UNGUIDED, "num_frames": 17, "height": 128, "width": 160},
        NEGATIVE_MASKED,
        1,
    ),
    "mochi": TinyPipeline(
        _mochi, {**_MASKED, **_UNGUIDED, "num_frames": 13, "height": 64, "width": 80},
        NEGATIVE_MASKED, 1,
    ),
}  # fmt: skip
