"""More of diffusers' pipelines around the tiny transformers, to be run with guidance alone.

Most begin with an image or a video, which a stand-in encodes.
"""

from typing import Any

import torch
from diffusers import (
    CogVideoXDDIMScheduler,
    CogVideoXFunControlPipeline,
    CogVideoXImageToVideoPipeline,
    CogVideoXVideoToVideoPipeline,
    FlowMatchEulerDiscreteScheduler,
    HunyuanSkyreelsImageToVideoPipeline,
    HunyuanVideo15ImageToVideoPipeline,
    HunyuanVideo15Pipeline,
    HunyuanVideoFramepackPipeline,
    HunyuanVideoImageToVideoPipeline,
    LTXConditionPipeline,
    LTXImageToVideoPipeline,
)
from diffusers.guiders import ClassifierFreeGuidance

from software.tests.library.stand_ins import IMAGE, PIL, VIDEO, StandInVae, seeing
from software.tests.library.tiny import normal
from software.tests.library.tiny_guided_wan import GUIDED_WAN
from software.tests.library.tiny_hunyuan import framepack, hunyuan_video, hunyuan_video15
from software.tests.library.tiny_models import TINY, cogvideox15
from software.tests.library.tiny_pipelines import (
    ALL,
    EMBEDS,
    NEGATIVE,
    NEGATIVE_MASKED,
    OTHER,
    PIXELS,
    PROMPT,
    SIZE,
    SOME,
    TinyPipeline,
    cogvideox,
    euler,
)


def _cogvideox_of_images() -> Any:
    model = cogvideox15(channels=4, text=16).model()
    return CogVideoXImageToVideoPipeline(None, None, StandInVae(4), model, CogVideoXDDIMScheduler())


def _cogvideox_of_videos() -> Any:
    return CogVideoXVideoToVideoPipeline(
        None, None, StandInVae(4), cogvideox().model(), CogVideoXDDIMScheduler()
    )


def _cogvideox_of_controls() -> Any:
    model = cogvideox(channels=8).model()
    scheduler = CogVideoXDDIMScheduler()
    return CogVideoXFunControlPipeline(None, None, StandInVae(4), model, scheduler)


def _hunyuan_skyreels() -> Any:
    model = hunyuan_video(channels=8).model()
    return HunyuanSkyreelsImageToVideoPipeline(
        None, None, model, StandInVae(4), euler(), None, None
    )


def _hunyuan_video_of_images() -> Any:
    model = hunyuan_video("token_replace").model()
    return HunyuanVideoImageToVideoPipeline(
        None, None, model, StandInVae(4), euler(), None, None, None
    )


def _hunyuan_video15(kind: Any, *encoders: None) -> Any:
    model = hunyuan_video15(channels=9).model()
    guider, vae = ClassifierFreeGuidance(guidance_scale=4.0), StandInVae(4, space=16)
    return kind(None, None, model, vae, euler(), None, None, guider, *encoders)


def _hunyuan_video15_of_images() -> Any:
    pipe = _hunyuan_video15(HunyuanVideo15ImageToVideoPipeline, None, None)
    return seeing(pipe, 14)


def _framepack() -> Any:
    model = framepack().model()
    pipe = HunyuanVideoFramepackPipeline(
        None, None, model, StandInVae(4), euler(), None, None, None, None
    )
    return seeing(pipe, 12)


def _ltx(kind: Any) -> Any:
    def make() -> Any:
        vae = StandInVae(4, space=32, time=8)
        return kind(FlowMatchEulerDiscreteScheduler(), vae, None, None, TINY["ltx-video"].model())

    return make


_MASKED = {**EMBEDS, "prompt_attention_mask": ALL}
_HUNYUAN = {
    **_MASKED, "pooled_prompt_embeds": normal(9, 1, 8), "negative_prompt_embeds": OTHER,
    "negative_prompt_attention_mask": SOME, "negative_pooled_prompt_embeds": normal(6, 1, 8),
    "true_cfg_scale": 4.0,
}  # fmt: skip
_GLYPHS, _SOME_GLYPHS = normal(6, 1, 6, 12), torch.arange(6)[None] < 4
_TWO_PROMPTS = {
    "prompt_embeds": PROMPT, "prompt_embeds_mask": ALL,
    "prompt_embeds_2": _GLYPHS, "prompt_embeds_mask_2": _SOME_GLYPHS,
    "negative_prompt_embeds": OTHER, "negative_prompt_embeds_mask": SOME,
    "negative_prompt_embeds_2": -_GLYPHS, "negative_prompt_embeds_mask_2": _SOME_GLYPHS,
}  # fmt: skip
_LTX_PIXELS: dict[str, Any] = {"num_frames": 17, "height": 128, "width": 160}
_WHOLE = {"video": VIDEO, "strength": 1.0, **EMBEDS, **SIZE}
"""Video to video from pure noise: all steps run."""

GUIDED: dict[str, TinyPipeline] = {
    "cogvideox-1.5-i2v": TinyPipeline(
        _cogvideox_of_images, {"image": IMAGE, **EMBEDS, **PIXELS}, NEGATIVE, 1
    ),
    "cogvideox-v2v": TinyPipeline(_cogvideox_of_videos, _WHOLE, NEGATIVE, 1),
    "cogvideox-control": TinyPipeline(
        _cogvideox_of_controls, {"control_video": VIDEO, **EMBEDS, **SIZE}, NEGATIVE, 1
    ),
    "hunyuanvideo-i2v": TinyPipeline(
        _hunyuan_video_of_images, {"image": IMAGE, **_HUNYUAN, **PIXELS}, {}, 2
    ),
    "hunyuanvideo-skyreels": TinyPipeline(
        _hunyuan_skyreels, {"image": IMAGE, **_HUNYUAN, **PIXELS}, {}, 2
    ),
    "hunyuanvideo-1.5": TinyPipeline(
        lambda: _hunyuan_video15(HunyuanVideo15Pipeline),
        {"num_frames": 9, **SIZE, **_TWO_PROMPTS}, {}, 2,
    ),
    "hunyuanvideo-1.5-i2v": TinyPipeline(
        _hunyuan_video15_of_images, {"image": PIL, "num_frames": 9, **_TWO_PROMPTS}, {}, 2
    ),
    "framepack": TinyPipeline(
        _framepack,
        {"image": IMAGE, **_HUNYUAN, **SIZE, "num_frames": 18, "latent_window_size": 3},
        {}, 4,  # two sections
    ),
    "ltx-video-i2v": TinyPipeline(
        _ltx(LTXImageToVideoPipeline),
        {"image": IMAGE, **_MASKED, **_LTX_PIXELS}, NEGATIVE_MASKED, 1,
    ),
    "ltx-video-condition": TinyPipeline(
        _ltx(LTXConditionPipeline),
        {"image": IMAGE, **_MASKED, **_LTX_PIXELS}, NEGATIVE_MASKED, 1,
    ),
    **GUIDED_WAN,
}  # fmt: skip
