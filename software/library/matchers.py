"""Matchers: DATM on either backend, and the baselines behind the same call.

Each is a callable that takes what it is shown of a layer's video tokens and a request, and returns
index pairs. It keeps count of what it did, and nothing else: results depend on the seed, the layer
and the step alone, not on the order of the calls or the place in a batch, so that guidance in one
batch and in two passes match alike.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from golden import Match, epsilon_to_q16, match_asymrnr, match_bsm
from golden.asymrnr import HeadMatch
from software.library.backends import Matched, MatchingBackend, make_backend
from software.library.config import BLOCKS, OrbisConfig

Block = tuple[int, int, int]


@dataclass(frozen=True)
class Request:
    """What is wanted of a match.

    Attributes:
        layer: the layer's number.
        step: the step's number within its run.
        grid: the video tokens as (frames, rows, columns).
        num_dst: M, for matchers that draw their dst from all tokens.
        reduce: K.
        previous: what the matcher found for this layer and video before in this run, if anything.
    """

    layer: int
    step: int
    grid: tuple[int, int, int]
    num_dst: int
    reduce: int
    previous: Any = None


Matcher = Callable[[Any, Request], Any]
"""``matcher(shown, request)``: index pairs (software.library.reduction.rows.Pairs), or two: Q's and KV's.

``shown`` is float32 [N, D], or for guide ``query_value`` a pair of float32 [H, N, d].
"""


def draw_seed(seed: int, layer: int, step: int) -> int:
    """Seed of one matching: distinct for every (layer, step) below 1,000 layers, in 0..2^32 - 1."""
    return (seed * 1_000_003 + step * 1_000 + layer) % 2**32


@dataclass
class DatmMatcher:
    """DATM on a backend: golden or RTL, 4-bit or float, as the backend was made.

    Attributes:
        backend: does the matching.
        seed: of the initial dst tokens.
        max_iterations: most pairings; 1 leaves the random dst as they are.
        epsilon_q16: least relative change of the loss that goes on, in Q0.16.
        warm_start: start from the dst of the last match of the layer and video.
        calls: matchings done.
        iterations: pairings done, over all matchings.
        cycles: engine cycles over all matchings; 0 from a backend without a clock.
    """

    backend: MatchingBackend
    seed: int = 0
    max_iterations: int = 20
    epsilon_q16: int = 66
    warm_start: bool = False
    calls: int = 0
    iterations: int = 0
    cycles: int = 0

    def __call__(self, shown: Tensor, request: Request) -> Matched:
        """Match one layer's tokens, float32 [N, D]."""
        before = request.previous if self.warm_start else None
        found = self.backend.match(
            shown,
            request.num_dst,
            request.reduce,
            seed=draw_seed(self.seed, request.layer, request.step),
            init=None if before is None else before.medoids,
            epsilon_q16=self.epsilon_q16,
            max_iterations=self.max_iterations,
        )
        self.calls += 1
        self.iterations += found.iterations
        self.cycles += found.cycles or 0
        return found


@dataclass
class _BlockMatcher:
    """A matcher with one random dst in each block of the video.

    Attributes:
        seed: of the random dst.
        block: tokens of a block along frames, rows and columns.
        calls: matchings done.
    """

    seed: int = 0
    block: Block = (2, 2, 2)
    calls: int = 0

    def _begin(self, request: Request) -> torch.Generator:
        """Count a matching; returns the source of its draws."""
        self.calls += 1
        return torch.Generator().manual_seed(draw_seed(self.seed, request.layer, request.step))


class BsmMatcher(_BlockMatcher):
    """Bipartite soft matching on float tokens."""

    def __call__(self, shown: Tensor, request: Request) -> Match:
        """Match one layer's tokens, float32 [N, D]."""
        return match_bsm(
            shown, request.grid, request.reduce, generator=self._begin(request), block=self.block
        )


class AsymRnRMatcher(_BlockMatcher):
    """AsymRnR's matching: each head for itself, Q by Q, keys and values by V."""

    def __call__(
        self, shown: tuple[Tensor, Tensor], request: Request
    ) -> tuple[HeadMatch, HeadMatch]:
        """Match Q and V of one layer, each float32 [H, N, d]."""
        generator = self._begin(request)
        query, value = (
            match_asymrnr(heads, request.grid, request.reduce, generator=generator,
                          block=self.block)
            for heads in shown
        )  # fmt: skip
        return query, value


def make_matcher(config: OrbisConfig) -> Matcher:
    """The matcher that a config names, on the golden model."""
    if config.matcher in BLOCKS:
        kind = AsymRnRMatcher if config.matcher == "asymrnr" else BsmMatcher
        return kind(config.seed, BLOCKS[config.matcher])
    backend = make_backend("golden", bits=config.bits, scale_group=config.scale_group)
    return DatmMatcher(
        backend,
        config.seed,
        1 if config.matcher == "random" else config.max_iterations,
        epsilon_to_q16(config.epsilon),
        config.warm_start and config.matcher == "datm",
    )
