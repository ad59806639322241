"""The model families whose attention can be reduced."""

from torch import nn

from software.library.families.base import AttentionCall, Family, Grid, merge_heads, split_heads
from software.library.families.cogvideox import CogVideoX
from software.library.families.hunyuan_video import HunyuanVideo
from software.library.families.ltx_video import LTXVideo
from software.library.families.mochi import Mochi
from software.library.families.wan import Wan

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

FAMILIES: tuple[Family, ...] = (CogVideoX(), HunyuanVideo(), Wan(), LTXVideo(), Mochi())


def family_of(model: nn.Module) -> Family | None:
    """The family of a transformer, by the names of its class and of those it derives from."""
    names = {kind.__name__ for kind in type(model).__mro__}
    return next((family for family in FAMILIES if family.model in names), None)
