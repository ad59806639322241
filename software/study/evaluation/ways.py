"""The ways of reducing that are held against each other by work and memory: ours and the rivals."""

import math
from dataclasses import dataclass, field
from typing import Any

from software.library.config import OrbisConfig
from software.library.footprint import index_bytes, kept_bytes, pair_bytes, result_bytes
from software.library.workload import MODELS, sdpa_left

OURS, OURS_Q = "DATM, residual, Q K V", "DATM, residual, Q alone"
ASYMRNR, ASYMRNR_RESIDUAL, DATM_COPY = "AsymRnR", "AsymRnR, residual", "DATM, copy, Q K V"
"""The ways that the claims compare."""
_QKV: dict[str, Any] = {"targets": "qkv"}
_COPY: dict[str, Any] = {"restore": "copy", "spread": False}
_HEADS: dict[str, Any] = {"matcher": "asymrnr", "guide": "query_value", **_QKV}
_MEMORY_OF = MODELS["cogvideox-5b"]
"""The model at whose size memory is told; a small one's index lists outweigh what they index."""


@dataclass(frozen=True)
class Way:
    """A way of reducing, over its ratios.

    Attributes:
        name: what it is called everywhere.
        ratios: shares of the video tokens that reduced steps drop, ascending.
        options: what it sets in an OrbisConfig.
    """

    name: str
    ratios: tuple[float, ...]
    options: dict[str, Any] = field(default_factory=dict)

    def at(self, ratio: float) -> dict[str, Any]:
        """Its options at a ratio; a quarter of the tokens are dst, or what the ratio leaves."""
        return {"ratio": ratio, "dst_fraction": min(0.25, 1 - ratio) or 0.25, **self.options}

    def work(self, ratio: float) -> float:
        """What is left of SDPA's work in a reduced step: of scores and of weighted values."""
        return sdpa_left(ratio, self.options.get("targets", OrbisConfig.targets))


WAYS = (
    Way(ASYMRNR, (0.05, 0.1, 0.2, 0.3, 0.4), {**_HEADS, **_COPY}),
    Way(ASYMRNR_RESIDUAL, (0.4, 0.55, 0.7), _HEADS),
    Way(DATM_COPY, (0.2, 0.38, 0.5), {**_QKV, **_COPY}),
    Way(OURS, (0.5, 0.625, 0.75, 0.875), _QKV),
    Way("DATM, copy, Q alone", (0.5,), _COPY),
    Way(OURS_Q, (0.5, 0.75, 0.875, 0.9375, 0.96875)),
    Way("random dst, residual, Q alone", (0.75, 0.9375), {"matcher": "random"}),
    Way("src cached, Q alone", (0.5, 0.75, 0.9375), {"restore": "cache"}),
    Way("attention broadcast", (1.0,), {"restore": "cache"}),
)
"""All that are compared."""


def memory(config: OrbisConfig) -> float:
    """Bytes that reduced steps need, of those that a layer's attention output takes.

    Of the index lists src and dst count, in 32 bits: the others follow from them.
    """
    layers, grid = _MEMORY_OF.layers[0], _MEMORY_OF.grid(*_MEMORY_OF.video)
    kept = kept_bytes(
        config, grid, layers.width, heads=layers.heads, text_tokens=_MEMORY_OF.text_tokens
    )
    lists = index_bytes(config, grid, layers.heads) - pair_bytes(config, grid, layers.heads)
    return (kept - lists) / result_bytes(math.prod(grid), layers.width)
