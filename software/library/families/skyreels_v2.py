"""SkyReels V2: Wan's attention, and times of a frame's own."""

from collections.abc import Mapping
from typing import Any

from software.library.families.base import Grid
from software.library.families.wan import Wan


class SkyReelsV2(Wan):
    """``SkyReelsV2Transformer3DModel``, with diffusion forcing or without.

    With blocks of several frames the model masks what lies in later blocks, a mask of its own for
    each query, which dropped rows have no place in.
    """

    name = "SkyReels V2"
    model = "SkyReelsV2Transformer3DModel"
    processors = ("SkyReelsV2AttnProcessor",)
    limits = (
        "Diffusion forcing in causal blocks of several frames (`causal_block_size` above 1) is "
        "refused at the first call; frames that lag behind each other one by one are not."
    )

    def grid(self, model: Any, given: Mapping[str, Any]) -> Grid:
        """Refuse causal blocks here, before a step is spent: a pipeline may set them at its call.

        Raises:
            ValueError: blocks of more than one frame.
        """
        frames = model.config.num_frame_per_block
        if frames > 1:
            raise ValueError(
                f"{self.model} attends causally over blocks of {frames} frames, which token "
                "reduction does not support: causal_block_size must be 1."
            )
        return super().grid(model, given)
