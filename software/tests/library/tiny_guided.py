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
    LucyEditPipeline,
    SkyReelsV2DiffusionForcingImageToVideoPipeline,
    SkyReelsV2DiffusionForcingPipeline,
    SkyReelsV2DiffusionForcingVideoToVideoPipeline,
    SkyReelsV2ImageToVideoPipeline,
    UniPCMultistepScheduler,
    WanAnimatePipeline,
    WanImageToVideoPipeline,
    WanVACEPipeline,
    WanVideoToVideoPipeline,
)
from diffusers.guiders import ClassifierFreeGuidance
from PIL import Image

from software.tests.library.stand_in_vae import StandInVae
from software.tests.library.tiny import normal
from software.tests.library.tiny_hunyuan import framepack, hunyuan_video, hunyuan_video15
from software.tests.library.tiny_models import TINY, cogvideox15
from software.tests.library.tiny_pipelines import (
    ALL,
    NEGATIVE,
    NEGATIVE_MASKED,
    OTHER,
    PIXELS,
    PROMPT,
    SOME,
    TinyPipeline,
    cogvideox,
)
from software.tests.library.tiny_wan import skyreels_v2, wan, wan_animate, wan_of_images, wan_vace

_IMAGE = torch.rand(1, 3, 64, 80, generator=torch.Generator().manual_seed(3))
_VIDEO = torch.rand(1, 9, 3, 64, 80, generator=torch.Generator().manual_seed(4))
_PIL, _FACE = Image.new("RGB", (80, 64), "teal"), Image.new("RGB", (16, 16), "tan")
_LONG, _LONG_OTHER = normal(7, 1, 512, 16), normal(8, 1, 512, 16)
"""Of models with cross-attention over an image, which counts 512 tokens of text."""
_LONG_NEGATIVE = {"negative_prompt_embeds": _LONG_OTHER, "guidance_scale": 4.0}


def _seeing(pipe: Any, channels: int) -> Any:
    """A pipeline whose image encoder finds two tokens of so many channels."""
    pipe.encode_image = lambda *_, **__: normal(5, 1, 2, channels)
    return pipe


def _euler() -> Any:
    return FlowMatchEulerDiscreteScheduler(shift=3.0)


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
        None, None, model, StandInVae(4), _euler(), None, None
    )


def _hunyuan_video_of_images() -> Any:
    model = hunyuan_video("token_replace").model()
    return HunyuanVideoImageToVideoPipeline(
        None, None, model, StandInVae(4), _euler(), None, None, None
    )


def _hunyuan_video15(kind: Any, *encoders: None) -> Any:
    model = hunyuan_video15(channels=9).model()
    guider, vae = ClassifierFreeGuidance(guidance_scale=4.0), StandInVae(4, space=16)
    return kind(None, None, model, vae, _euler(), None, None, guider, *encoders)


def _hunyuan_video15_of_images() -> Any:
    pipe = _hunyuan_video15(HunyuanVideo15ImageToVideoPipeline, None, None)
    return _seeing(pipe, 14)


def _framepack() -> Any:
    model = framepack().model()
    pipe = HunyuanVideoFramepackPipeline(
        None, None, model, StandInVae(4), _euler(), None, None, None, None
    )
    return _seeing(pipe, 12)


def _wan_of_images() -> Any:
    model = wan_of_images(channels=36, latents=16).model()
    pipe = WanImageToVideoPipeline(None, None, StandInVae(16), _euler(), transformer=model)
    return _seeing(pipe, 14)


def _wan_of_videos() -> Any:
    return WanVideoToVideoPipeline(None, None, wan(16).model(), StandInVae(16), _euler())


def _lucy() -> Any:
    model = wan(32, 16).model()
    return LucyEditPipeline(None, None, StandInVae(16), _euler(), transformer=model)


def _wan_vace() -> Any:
    model = wan_vace(channels=16, control=96).model()
    return WanVACEPipeline(None, None, StandInVae(16), _euler(), transformer=model)


def _wan_animate() -> Any:
    model = wan_animate(latents=16).model()
    pipe = WanAnimatePipeline(None, None, StandInVae(16), _euler(), None, None, model)
    return _seeing(pipe, 14)


def _skyreels_v2_of_images() -> Any:
    model = skyreels_v2(channels=36, latents=16, image=True).model()
    parts = model, StandInVae(16), _euler()
    return _seeing(SkyReelsV2ImageToVideoPipeline(None, None, None, None, *parts), 14)


def _forcing(kind: Any) -> Any:
    def make() -> Any:
        scheduler = UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=5.0
        )
        return kind(None, None, skyreels_v2(16, 16).model(), StandInVae(16), scheduler)

    return make


def _ltx(kind: Any) -> Any:
    def make() -> Any:
        vae = StandInVae(4, space=32, time=8)
        return kind(FlowMatchEulerDiscreteScheduler(), vae, None, None, TINY["ltx-video"].model())

    return make


_EMBEDS = {"prompt_embeds": PROMPT}
_MASKED = {**_EMBEDS, "prompt_attention_mask": ALL}
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
_SIZE = {"height": 64, "width": 80}
_LTX_PIXELS: dict[str, Any] = {"num_frames": 17, "height": 128, "width": 160}
_WHOLE = {"video": _VIDEO, "strength": 1.0, **_EMBEDS, **_SIZE}
"""Video to video from pure noise: all steps run."""
_NO_PROMPT: dict[str, Any] = {"prompt": None, **_EMBEDS, **PIXELS}

GUIDED: dict[str, TinyPipeline] = {
    "cogvideox-1.5-i2v": TinyPipeline(
        _cogvideox_of_images, {"image": _IMAGE, **_EMBEDS, **PIXELS}, NEGATIVE, 1
    ),
    "cogvideox-v2v": TinyPipeline(_cogvideox_of_videos, _WHOLE, NEGATIVE, 1),
    "cogvideox-control": TinyPipeline(
        _cogvideox_of_controls, {"control_video": _VIDEO, **_EMBEDS, **_SIZE}, NEGATIVE, 1
    ),
    "hunyuanvideo-i2v": TinyPipeline(
        _hunyuan_video_of_images, {"image": _IMAGE, **_HUNYUAN, **PIXELS}, {}, 2
    ),
    "hunyuanvideo-skyreels": TinyPipeline(
        _hunyuan_skyreels, {"image": _IMAGE, **_HUNYUAN, **PIXELS}, {}, 2
    ),
    "hunyuanvideo-1.5": TinyPipeline(
        lambda: _hunyuan_video15(HunyuanVideo15Pipeline),
        {"num_frames": 9, **_SIZE, **_TWO_PROMPTS}, {}, 2,
    ),
    "hunyuanvideo-1.5-i2v": TinyPipeline(
        _hunyuan_video15_of_images, {"image": _PIL, "num_frames": 9, **_TWO_PROMPTS}, {}, 2
    ),
    "framepack": TinyPipeline(
        _framepack,
        {"image": _IMAGE, **_HUNYUAN, **_SIZE, "num_frames": 18, "latent_window_size": 3},
        {}, 4,  # two sections
    ),
    "wan-i2v": TinyPipeline(
        _wan_of_images, {"image": _IMAGE, "prompt_embeds": _LONG, **PIXELS}, _LONG_NEGATIVE, 2
    ),
    "wan-v2v": TinyPipeline(_wan_of_videos, _WHOLE, NEGATIVE, 2),
    "lucy-edit": TinyPipeline(_lucy, {"video": _VIDEO, **_EMBEDS, **PIXELS}, NEGATIVE, 2),
    "wan-vace": TinyPipeline(
        _wan_vace, {"reference_images": [_PIL], **_EMBEDS, **PIXELS}, NEGATIVE, 2
    ),
    "wan-animate": TinyPipeline(
        _wan_animate,
        {"image": _PIL, "pose_video": [_PIL] * 9, "face_video": [_FACE] * 9,
         "segment_frame_length": 9, "prompt_embeds": _LONG, **_SIZE},
        _LONG_NEGATIVE, 2,
    ),
    "skyreels-v2-i2v": TinyPipeline(
        _skyreels_v2_of_images,
        {"image": _IMAGE, "prompt_embeds": _LONG, **PIXELS}, _LONG_NEGATIVE, 2,
    ),
    "skyreels-v2-forcing": TinyPipeline(
        _forcing(SkyReelsV2DiffusionForcingPipeline), _NO_PROMPT, NEGATIVE, 2
    ),
    "skyreels-v2-forcing-i2v": TinyPipeline(
        _forcing(SkyReelsV2DiffusionForcingImageToVideoPipeline),
        {"image": _IMAGE, **_NO_PROMPT}, NEGATIVE, 2,
    ),
    "skyreels-v2-forcing-v2v": TinyPipeline(
        _forcing(SkyReelsV2DiffusionForcingVideoToVideoPipeline),
        {"video": _VIDEO, **_NO_PROMPT, "overlap_history": 5, "num_frames": 17,
         "base_num_frames": 13},
        NEGATIVE, 4,  # two sections
    ),
    "ltx-video-i2v": TinyPipeline(
        _ltx(LTXImageToVideoPipeline),
        {"image": _IMAGE, **_MASKED, **_LTX_PIXELS}, NEGATIVE_MASKED, 1,
    ),
    "ltx-video-condition": TinyPipeline(
        _ltx(LTXConditionPipeline),
        {"image": _IMAGE, **_MASKED, **_LTX_PIXELS}, NEGATIVE_MASKED, 1,
    ),
}  # fmt: skip
