"""Diffusers' pipelines of Wan's kind, to be run with guidance alone."""

from typing import Any

from diffusers import (
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

from software.tests.library.stand_ins import FACE, IMAGE, PIL, VIDEO, StandInVae, seeing
from software.tests.library.tiny import normal
from software.tests.library.tiny_pipelines import (
    EMBEDS,
    NEGATIVE,
    PIXELS,
    SIZE,
    TinyPipeline,
    euler,
)
from software.tests.library.tiny_wan import skyreels_v2, wan, wan_animate, wan_of_images, wan_vace

_LONG, _LONG_OTHER = normal(7, 1, 512, 16), normal(8, 1, 512, 16)
"""Of models with cross-attention over an image, which counts 512 tokens of text."""
_LONG_NEGATIVE = {"negative_prompt_embeds": _LONG_OTHER, "guidance_scale": 4.0}


def _wan_of_images() -> Any:
    model = wan_of_images(channels=36, latents=16).model()
    pipe = WanImageToVideoPipeline(None, None, StandInVae(16), euler(), transformer=model)
    return seeing(pipe, 14)


def _wan_22_small() -> Any:
    parts = StandInVae(16), euler()
    return WanImageToVideoPipeline(
        None, None, *parts, transformer=wan(16).model(), expand_timesteps=True
    )


def _wan_of_videos() -> Any:
    return WanVideoToVideoPipeline(None, None, wan(16).model(), StandInVae(16), euler())


def _lucy() -> Any:
    model = wan(32, 16).model()
    return LucyEditPipeline(None, None, StandInVae(16), euler(), transformer=model)


def _wan_vace() -> Any:
    model = wan_vace(channels=16, control=96).model()
    return WanVACEPipeline(None, None, StandInVae(16), euler(), transformer=model)


def _wan_animate() -> Any:
    model = wan_animate(latents=16).model()
    pipe = WanAnimatePipeline(None, None, StandInVae(16), euler(), None, None, model)
    return seeing(pipe, 14)


def _skyreels_v2_of_images() -> Any:
    model = skyreels_v2(channels=36, latents=16, image=True).model()
    parts = model, StandInVae(16), euler()
    return seeing(SkyReelsV2ImageToVideoPipeline(None, None, None, None, *parts), 14)


def _forcing(kind: Any) -> Any:
    def make() -> Any:
        scheduler = UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=5.0
        )
        return kind(None, None, skyreels_v2(16, 16).model(), StandInVae(16), scheduler)

    return make


_WHOLE = {"video": VIDEO, "strength": 1.0, **EMBEDS, **SIZE}
_NO_PROMPT: dict[str, Any] = {"prompt": None, **EMBEDS, **PIXELS}

GUIDED_WAN: dict[str, TinyPipeline] = {
    "wan-i2v": TinyPipeline(
        _wan_of_images, {"image": IMAGE, "prompt_embeds": _LONG, **PIXELS}, _LONG_NEGATIVE, 2
    ),
    "wan-2.2-ti2v": TinyPipeline(  # a time of each token's own
        _wan_22_small, {"image": IMAGE, **EMBEDS, **PIXELS}, NEGATIVE, 2
    ),
    "wan-v2v": TinyPipeline(_wan_of_videos, _WHOLE, NEGATIVE, 2),
    "lucy-edit": TinyPipeline(_lucy, {"video": VIDEO, **EMBEDS, **PIXELS}, NEGATIVE, 2),
    "wan-vace": TinyPipeline(
        _wan_vace, {"reference_images": [PIL], **EMBEDS, **PIXELS}, NEGATIVE, 2
    ),
    "wan-animate": TinyPipeline(
        _wan_animate,
        {"image": PIL, "pose_video": [PIL] * 9, "face_video": [FACE] * 9,
         "segment_frame_length": 9, "prompt_embeds": _LONG, **SIZE},
        _LONG_NEGATIVE, 2,
    ),
    "skyreels-v2-i2v": TinyPipeline(
        _skyreels_v2_of_images,
        {"image": IMAGE, "prompt_embeds": _LONG, **PIXELS}, _LONG_NEGATIVE, 2,
    ),
    "skyreels-v2-forcing": TinyPipeline(
        _forcing(SkyReelsV2DiffusionForcingPipeline), _NO_PROMPT, NEGATIVE, 2
    ),
    "skyreels-v2-forcing-i2v": TinyPipeline(
        _forcing(SkyReelsV2DiffusionForcingImageToVideoPipeline),
        {"image": IMAGE, **_NO_PROMPT}, NEGATIVE, 2,
    ),
    "skyreels-v2-forcing-v2v": TinyPipeline(
        _forcing(SkyReelsV2DiffusionForcingVideoToVideoPipeline),
        {"video": VIDEO, **_NO_PROMPT, "overlap_history": 5, "num_frames": 17,
         "base_num_frames": 13},
        NEGATIVE, 4,  # two sections
    ),
}  # fmt: skip
