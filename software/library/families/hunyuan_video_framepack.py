"""HunyuanVideo Framepack: latents of earlier frames go before the video's own."""

import math
from collections.abc import Mapping
from typing import Any

from software.library.families.base import Grid
from software.library.families.hunyuan_video import HunyuanVideo

_HISTORY = {
    "latents_clean": (1, 2, 2),
    "latents_history_2x": (2, 4, 4),
    "latents_history_4x": (4, 8, 8),
}
"""Latent frames, rows and columns of one token of each history, by the name of its latents."""


class HunyuanVideoFramepack(HunyuanVideo):
    """``HunyuanVideoFramepackTransformer3DModel``.

    Histories have grids of their own, two of them coarser, and are tokens of the video as any: all
    of them lie in one row.
    """

    name = "HunyuanVideo Framepack"
    model = "HunyuanVideoFramepackTransformer3DModel"
    limits = (
        "Tokens of earlier frames are matched and dropped as the video's are, and all lie in one "
        "row: the blocks from which BSM and AsymRnR draw dst tokens are stretches of it."
    )

    def grid(self, model: Any, given: Mapping[str, Any]) -> Grid:
        """One row of the histories' tokens and the video's."""
        tokens = math.prod(super().grid(model, given))
        for name, patch in _HISTORY.items():
            size = given[name].shape[2:]  # latents are padded to whole patches
            tokens += math.prod(-(-length // cut) for length, cut in zip(size, patch, strict=True))
        return 1, 1, tokens
