"""What token reduction would do to published video models: a dry run from their sizes alone.

Work is counted in multiply-accumulates (MAC) of one step of one sample, of attention and
feed-forward layers; embeddings, norms and cross-attention to text are not counted. With S tokens
in a layer, of which V are video, and inner width D:

* SDPA, the scores and the weighted values: ``2 S^2 D``
* the projections to Q, K, V and out: ``4 S D^2``
* feed-forward: ``2 S D F`` (``3 S D F`` where it is gated), never reduced

A reduced step takes the src rows away before the projections and puts them back after: S becomes
``S - K``, for the queries alone or for keys and values as well. Sizes are those of the models'
configs in diffusers and of their default videos.
"""

import math
from dataclasses import dataclass
from typing import Any

from software.library.config import OrbisConfig, Targets
from software.library.footprint import index_bytes, kept_bytes, result_bytes

_MOST_STEPS = 100_000
"""Each is looked at; schedulers know some 1,000."""


@dataclass(frozen=True)
class Layers:
    """Layers of one kind: how many, and what of a layer counts as work.

    Attributes:
        count: layers.
        width: inner width D, heads times channels a head.
        heads: attention heads.
        feed_forward: width F of the feed-forward layer.
        gated: whether that has a gate, a third matrix.
        joint_text: whether the text tokens take part in the video's attention and projections.
    """

    count: int
    width: int
    heads: int
    feed_forward: int
    gated: bool = False
    joint_text: bool = True


@dataclass(frozen=True)
class VideoModel:
    """A published video diffusion transformer, and the video that it makes by default.

    Attributes:
        source: where its sizes are published.
        layers: its layers, by kind.
        text_tokens: most text tokens of a sample.
        compression: frames, rows and columns of pixels that one latent value stands for.
        patch: latent frames, rows and columns of one token.
        video: frames, height and width by default.
        steps: denoising steps by default.
    """

    source: str
    layers: tuple[Layers, ...]
    text_tokens: int
    compression: tuple[int, int, int]
    patch: tuple[int, int, int]
    video: tuple[int, int, int]
    steps: int = 50

    def grid(self, frames: int, height: int, width: int) -> tuple[int, int, int]:
        """Tokens of a video along frames, rows, columns. The first frame has a latent of its own.

        Raises:
            ValueError: a size that is not whole tokens.
        """
        temporal, *spatial = self.compression
        if frames < 1 or (frames - 1) % temporal:
            raise ValueError(
                f"frames is {frames}; it must be 1 more than a multiple of {temporal}."
            )
        for name, size, compressed, patch in zip(
            ("height", "width"), (height, width), spatial, self.patch[1:], strict=True
        ):
            if size < 1 or size % (compressed * patch):
                raise ValueError(
                    f"{name} is {size}; it must be a multiple of {compressed * patch}."
                )
        latents = (frames - 1) // temporal + 1, height // spatial[0], width // spatial[1]
        rows, columns = latents[1] // self.patch[1], latents[2] // self.patch[2]
        return latents[0] // self.patch[0], rows, columns


MODELS: dict[str, VideoModel] = {
    "cogvideox-2b": VideoModel(
        "zai-org/CogVideoX-2b", (Layers(30, 1920, 30, 7680),), 226, (4, 8, 8), (1, 2, 2),
        (49, 480, 720),
    ),
    "cogvideox-5b": VideoModel(
        "zai-org/CogVideoX-5b", (Layers(42, 3072, 48, 12288),), 226, (4, 8, 8), (1, 2, 2),
        (49, 480, 720),
    ),
    "hunyuanvideo": VideoModel(
        "hunyuanvideo-community/HunyuanVideo", (Layers(60, 3072, 24, 12288),), 256, (4, 8, 8),
        (1, 2, 2), (129, 720, 1280),
    ),
    "wan2.1-1.3b": VideoModel(
        "Wan-AI/Wan2.1-T2V-1.3B", (Layers(30, 1536, 12, 8960, joint_text=False),), 512, (4, 8, 8),
        (1, 2, 2), (81, 480, 832),
    ),
    "wan2.1-14b": VideoModel(
        "Wan-AI/Wan2.1-T2V-14B", (Layers(40, 5120, 40, 13824, joint_text=False),), 512, (4, 8, 8),
        (1, 2, 2), (81, 720, 1280),
    ),
    "ltx-video": VideoModel(
        "Lightricks/LTX-Video", (Layers(28, 2048, 32, 8192, joint_text=False),), 128, (8, 32, 32),
        (1, 1, 1), (161, 512, 704),
    ),
    "mochi-1": VideoModel(
        "genmo/mochi-1-preview", (Layers(48, 3072, 24, 8192, gated=True),), 256, (6, 8, 8),
        (1, 2, 2), (163, 480, 848), 64,
    ),
}  # fmt: skip
"""By the names that `orbis plan --model` takes."""


def sdpa_left(ratio: float, targets: Targets) -> float:
    """What is left of SDPA's work among video tokens, where a share of them is dropped."""
    return (1 - ratio) ** (2 if targets == "qkv" else 1)


def work(model: VideoModel, video_tokens: int, config: OrbisConfig | None = None) -> dict[str, int]:
    """MAC of one step by kind of work: a full one, or a reduced one of a config."""
    dropped = 0 if config is None else round(config.ratio * video_tokens)
    found = {"sdpa": 0, "projections": 0, "feed_forward": 0}
    for kind in model.layers:
        tokens = video_tokens + (model.text_tokens if kind.joint_text else 0)
        matrices = 3 if kind.gated else 2
        found["feed_forward"] += kind.count * matrices * tokens * kind.width * kind.feed_forward
        if config is not None and config.keeps_results:
            continue
        queries = keys = tokens - dropped
        if config is not None and config.targets == "q":
            keys = tokens
        found["sdpa"] += kind.count * 2 * queries * keys * kind.width
        found["projections"] += kind.count * 2 * (queries + keys) * kind.width**2
    return found


def workload(
    name: str,
    config: OrbisConfig,
    *,
    steps: int | None = None,
    frames: int | None = None,
    height: int | None = None,
    width: int | None = None,
) -> dict[str, Any]:
    """What token reduction does to a model, JSON types.

    Args:
        name: one of `MODELS`.
        config: the reduction; its matcher and its layers do not count here.
        steps: denoising steps; the model's own number by default.
        frames: of the video; the model's own by default.
        height: the same, rows of pixels.
        width: the same, columns of pixels.

    Raises:
        ValueError: an unknown model, a video that is not whole tokens, a ratio that the dst leave
            no tokens for, or steps outside 1..100,000.
    """
    if name not in MODELS:
        raise ValueError(f"model is {name!r}; it must be one of {', '.join(MODELS)}.")
    model = MODELS[name]
    video = {
        size: own if given is None else given
        for size, own, given in zip(
            ("frames", "height", "width"), model.video, (frames, height, width), strict=True
        )
    }
    grid = model.grid(**video)
    tokens = math.prod(grid)
    num_dst, dropped = config.counts(grid)
    steps = model.steps if steps is None else steps
    if not 1 <= steps <= _MOST_STEPS:
        raise ValueError(f"steps is {steps}; it must lie in 1..{_MOST_STEPS}.")
    few = config.full_steps(steps).count(False)
    full, reduced = work(model, tokens), work(model, tokens, config)
    whole, less = sum(full.values()), sum(reduced.values())
    layers = sum(kind.count for kind in model.layers)
    return {
        "model": name,
        "source": model.source,
        "video": video,
        "video_tokens": tokens,
        "text_tokens": model.text_tokens,
        "layers": layers,
        "channels": model.layers[0].width,
        "num_dst": num_dst,
        "dropped": dropped,
        **_memory(model, config, grid),
        "steps": steps,
        "full_steps_first": config.warmup(steps),
        "reduced_steps": few,
        "full_step_mac": full,
        "reduced_step_mac": reduced,
        "work_saved_in_reduced_step": 1 - less / whole,
        "work_saved": few * (1 - less / whole) / steps,
        "tokens_dropped_over_all_steps": dropped * few / (tokens * steps),
    }


def _memory(model: VideoModel, config: OrbisConfig, grid: tuple[int, int, int]) -> dict[str, Any]:
    """What is kept from step to step of a sample, over all layers, beside attention caching's."""
    found = {"index_bytes": 0, "kept_bytes": 0, "caching_bytes": 0}
    for kind in model.layers:
        text = model.text_tokens if kind.joint_text else 0
        of_a_layer = {
            "index_bytes": index_bytes(config, grid, kind.heads),
            "kept_bytes": kept_bytes(config, grid, kind.width, heads=kind.heads, text_tokens=text),
            "caching_bytes": result_bytes(math.prod(grid), kind.width),
        }
        for name, size in of_a_layer.items():
            found[name] += kind.count * size
    return {**found, "kept_share_of_caching": found["kept_bytes"] / found["caching_bytes"]}
