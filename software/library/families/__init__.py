"""The model families whose attention can be reduced, and the sentence that refuses all others."""

from torch import nn

from software.library.families.base import AttentionCall, Family, Grid
from software.library.families.cogvideox import CogVideoX
from software.library.families.heads import merge_heads, split_heads
from software.library.families.hunyuan_video import HunyuanVideo
from software.library.families.hunyuan_video15 import HunyuanVideo15
from software.library.families.hunyuan_video_framepack import HunyuanVideoFramepack
from software.library.families.ltx_video import LTXVideo
from software.library.families.mochi import Mochi
from software.library.families.refused import reason
from software.library.families.skyreels_v2 import SkyReelsV2
from software.library.families.wan import Wan, WanAnimate, WanVACE

__all__ = [
    "FAMILIES",
    "AttentionCall",
    "CogVideoX",
    "Family",
    "Grid",
    "family_of",
    "merge_heads",
    "split_heads",
]

FAMILIES: tuple[Family, ...] = (
    CogVideoX(),
    HunyuanVideo(),
    HunyuanVideo15(),
    HunyuanVideoFramepack(),
    Wan(),
    WanVACE(),
    WanAnimate(),
    SkyReelsV2(),
    LTXVideo(),
    Mochi(),
)
_BY_MODEL = {family.model: family for family in FAMILIES}


def family_of(model: nn.Module) -> Family:
    """The family of a transformer: by the name of its class, or of one that it derives from.

    A class of such a name need not be diffusers', but it must have diffusers' attention layers.

    Raises:
        ValueError: it is of none, or lacks the layers; the sentence names its class.
    """
    kinds = type(model).__mro__
    title = type(model).__name__
    family = next((_BY_MODEL[kind.__name__] for kind in kinds if kind.__name__ in _BY_MODEL), None)
    if family is None:
        known = ", ".join(each.name for each in FAMILIES)
        because = reason(type(model))
        raise ValueError(
            f"{title} is not of a family whose attention can be reduced ({known})"
            f"{f': {because}' if because else ''}."
        )
    if not _is_built_so(model, family):
        raise ValueError(
            f"{title} of {type(model).__module__} is not built as diffusers' {family.model}: its"
            " attention layers or its config are missing, so that it cannot be patched."
        )
    return family


def _is_built_so(model: nn.Module, family: Family) -> bool:
    """Whether a model has the layers and the config that a family takes from it."""
    try:
        family.patch(model)
        layers = family.attentions(model)
    except (AttributeError, TypeError, ValueError):
        return False
    return bool(layers) and all(hasattr(attn, "processor") for attn in layers.values())
