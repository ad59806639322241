"""Engines and tokens that the cycle model is held to the simulated engine on."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hw.config import EngineConfig
from software.demo.tokens import PATH
from software.demo.video_tokens import TokenGrid, video_tokens


def _config(**sizes: Any) -> EngineConfig:
    return EngineConfig(max_tokens=2048, max_channels=512, max_dst=1024, **sizes)


SEEN_ENGINES: dict[str, EngineConfig] = {
    "narrow, bf16": _config(
        dst_lanes=2, src_lanes=4, channel_lanes=4, src_groups=2, bus_bytes=16, quantize_lanes=2,
        update_lanes=2, sorter_width=4, fifo_beats=32, token_format="bf16",
    ),
    "shared scale": _config(
        dst_lanes=4, src_lanes=2, channel_lanes=8, src_groups=4, bus_bytes=32, scale_group=8,
        fifo_beats=64,
    ),
    "wide bus": _config(
        dst_lanes=2, src_lanes=4, channel_lanes=16, src_groups=3, quantize_lanes=8,
        sorter_width=16, fifo_beats=128,
    ),
    "narrow bus": _config(
        dst_lanes=4, src_lanes=2, channel_lanes=16, src_groups=9, bus_bytes=16, scale_group=16,
        quantize_lanes=2, update_lanes=8, sorter_width=2, burst_beats=8, fifo_beats=16,
    ),
    "one dst": _config(
        dst_lanes=1, src_lanes=5, channel_lanes=8, src_groups=4, bus_bytes=16, scale_group=8,
        update_lanes=2, sorter_width=4, fifo_beats=32,
    ),
    "many dst": _config(
        dst_lanes=8, src_lanes=2, channel_lanes=4, src_groups=5, bus_bytes=32, scale_group=4,
        quantize_lanes=8, update_lanes=2, sorter_width=4, fifo_beats=32,
    ),
}  # fmt: skip
"""Engines of 32 to 128 lanes."""

HELD_OUT_ENGINES: dict[str, EngineConfig] = {
    "one dst, deep": _config(
        dst_lanes=1, src_lanes=8, channel_lanes=8, src_groups=2, bus_bytes=32, update_lanes=4,
        fifo_beats=64,
    ),
    "square": _config(
        dst_lanes=2, src_lanes=2, channel_lanes=16, src_groups=6, bus_bytes=32, scale_group=16,
        quantize_lanes=2, update_lanes=8, sorter_width=4, burst_beats=4, fifo_beats=8,
    ),
    "bf16, shared": _config(
        dst_lanes=4, src_lanes=4, channel_lanes=8, src_groups=3, bus_bytes=16, scale_group=8,
        burst_beats=8, fifo_beats=16, token_format="bf16",
    ),
    "threes": _config(
        dst_lanes=3, src_lanes=3, channel_lanes=8, src_groups=7, quantize_lanes=8, sorter_width=2,
        fifo_beats=32,
    ),
    "one src": _config(
        dst_lanes=4, src_lanes=1, channel_lanes=16, src_groups=12, quantize_lanes=16,
        update_lanes=2, sorter_width=32, burst_beats=32, fifo_beats=128,
    ),
}  # fmt: skip
"""Engines that nobody looked at while the model was made."""


def clusters(tokens: int, channels: int, count: int) -> Tensor:
    """Tokens [N, D] around so many centres."""
    random = np.random.default_rng(count)
    centre = 3 * random.standard_normal((count, channels))
    values = centre[random.integers(0, count, tokens)]
    values += 0.3 * random.standard_normal((tokens, channels))
    return torch.from_numpy(values.astype(np.float16))


def _shipped(tokens: int) -> Tensor:
    return torch.from_numpy(np.load(PATH)[:tokens])


def _video() -> Tensor:
    return torch.from_numpy(video_tokens("carphone", TokenGrid(3, 9, 11))[:, :256].copy())


def _another_video() -> Tensor:
    return torch.from_numpy(video_tokens("bikes", TokenGrid(2, 11, 13))[:, 1000:1400].copy())


def _uneven_clusters() -> Tensor:
    random = np.random.default_rng(8)
    centre = random.standard_normal((30, 96))
    values = centre[np.minimum(random.geometric(0.15, 350) - 1, 29)]
    values += 0.2 * random.standard_normal((350, 96))
    return torch.from_numpy(values.astype(np.float16))


def _ties() -> Tensor:
    values = np.random.default_rng(9).integers(0, 3, (320, 33))
    return torch.from_numpy(values.astype(np.float16))


def _random() -> Tensor:
    values = np.random.default_rng(0).standard_normal((300, 256))
    return torch.from_numpy(values.astype(np.float16))


SEEN_TOKENS: dict[str, Callable[[], Tensor]] = {
    "shipped": lambda: _shipped(512),
    "shipped, 199 of them": lambda: _shipped(199),
    "real video": _video,
    "clusters": lambda: clusters(400, 128, 44),
    "few clusters": lambda: clusters(500, 64, 3),
    "all alike": lambda: torch.full((300, 64), 0.5).half(),
    "random": _random,
}
"""Sets of tokens; of each a quarter are dst, of few clusters fewer."""

HELD_OUT_TOKENS: dict[str, Callable[[], Tensor]] = {
    "another video": _another_video,
    "uneven clusters": _uneven_clusters,
    "ties": _ties,
}
"""Sets that nobody looked at while the model was made."""
