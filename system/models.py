"""The two models whose matching is to be hidden: sizes, and the work of a layer."""

from dataclasses import dataclass

INSTANCES = 38
"""ORBIS instances that match an A100."""
_ARRAY = 64 * 64
"""Multiply-accumulates of an instance a cycle."""
_DST_SHARE, _REDUCED_SHARE = 4, 0.38


def num_dst_of(tokens: int) -> int:
    """M: a quarter of the tokens, rounded up."""
    return -(-tokens // _DST_SHARE)


def reduce_of(tokens: int) -> int:
    """K: 38 % of the tokens."""
    return round(_REDUCED_SHARE * tokens)


@dataclass(frozen=True)
class VideoModel:
    """A video diffusion transformer, for one video.

    Attributes:
        video_tokens: N.
        text_tokens: that take part in attention beside them.
        width: D.
        feed_forward: inner width of the feed-forward layer.
        layers: how many.
    """

    video_tokens: int
    text_tokens: int
    width: int
    feed_forward: int
    layers: int

    @property
    def num_dst(self) -> int:
        """M: see `num_dst_of`."""
        return num_dst_of(self.video_tokens)

    @property
    def reduce(self) -> int:
        """K: see `reduce_of`."""
        return reduce_of(self.video_tokens)

    @property
    def layer_mac(self) -> int:
        """Multiply-accumulates of a layer of a full step: four projections, two matrices, SDPA."""
        tokens = self.video_tokens + self.text_tokens
        linear = tokens * (4 * self.width**2 + 2 * self.width * self.feed_forward)
        return linear + 2 * tokens**2 * self.width

    @property
    def layer_cycles(self) -> float:
        """Cycles of a layer on all instances, their arrays always busy."""
        return self.layer_mac / (INSTANCES * _ARRAY)


MODELS = {
    "cogvideox-5b": VideoModel(17_550, 226, 3_072, 12_288, 42),
    "hunyuanvideo": VideoModel(67_320, 256, 3_072, 12_288, 60),
}
"""By name: 49 frames of 480 x 720, and 129 of 544 x 960."""
