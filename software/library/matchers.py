"""Matchers: DATM on either backend, and the baselines behind the same call.

Each is a callable that takes what it is shown of a layer's video tokens and a request, and returns
index pairs. It keeps count of what it did, and nothing else: results depend on the seed, the layer
and the step alone, not on the order of the calls or the place in a batch, so that guidance in one
batch and in two passes match alike.
"""

import math
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from golden.asymrnr import HeadMatch, match_asymrnr
from golden.bsm import match_bsm
from golden.datm import Match
from golden.options import MatchOptions
from software.library.backends import MatchingBackend, make_backend
from software.library.backends.clocked_match import ClockedMatch
from software.library.config import BLOCKS, OrbisConfig

Block = tuple[int, int, int]


@dataclass(frozen=True)
class MatchRequest:
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


Matcher = Callable[[Any, MatchRequest], Any]
"""``matcher(shown, request)``: index pairs (`software.library.reduction.rows.Pairs`), or two of
them: Q's and KV's.

``shown`` is float32 [N, D], or for guide ``query_value`` a pair of float32 [H, N, d].
"""


_COUNTING = threading.Lock()
"""One for all: a matcher may serve several threads."""


def within_float16(shown: Tensor) -> Tensor:
    """Float32 tokens [N, D] such that float16, in which they are matched, holds them.

    What goes beyond is scaled by a power of two, with a warning: that keeps the order of distances.
    Values that are infinite or not a number stay, for the matcher to refuse.
    """
    most = max(abs(float(value)) for value in torch.aminmax(shown))
    if not torch.finfo(torch.float16).max < most < math.inf:
        return shown
    exponent = math.frexp(most / torch.finfo(torch.float16).max)[1]
    warnings.warn(
        f"attention outputs reach beyond float16 ({torch.finfo(torch.float16).max:,.0f}), in which"
        " tokens are matched: they are scaled by a power of two first, which keeps the order of"
        " their distances.",
        stacklevel=2,
    )
    return shown * 2.0**-exponent


def draw_seed(seed: int, layer: int, step: int) -> int:
    """Seed of one matching: distinct for every (layer, step) below 1,000 layers, in 0..2^32 - 1."""
    return (seed * 1_000_003 + step * 1_000 + layer) % 2**32


@dataclass
class DatmMatcher:
    """DATM on a backend: golden or RTL, 4-bit or float, as the backend was made.

    Attributes:
        backend: does the matching.
        options: when to stop; each match draws its initial dst from a seed of its own, made from
            this one.
        warm_start: start from the dst of the last match of the layer and video.
        calls: matchings done.
        iterations: pairings done, over all matchings.
        cycles: engine cycles over all matchings; 0 from a backend without a clock.
    """

    backend: MatchingBackend
    options: MatchOptions = MatchOptions()
    warm_start: bool = False
    calls: int = 0
    iterations: int = 0
    cycles: int = 0

    def __call__(self, shown: Tensor, request: MatchRequest) -> Match:
        """Match one layer's tokens, float32 [N, D]."""
        before = request.previous if self.warm_start else None
        options = replace(
            self.options,
            seed=draw_seed(self.options.seed, request.layer, request.step),
            init=None if before is None else before.medoids,
        )
        if getattr(self.backend, "bits", 4) is not None:
            shown = within_float16(shown)
        found = self.backend.match(shown, request.num_dst, request.reduce, options)
        with _COUNTING:
            self.calls += 1
            self.iterations += found.iterations
            self.cycles += found.cycles if isinstance(found, ClockedMatch) else 0
        return found


@dataclass
class _BlockMatcher:
    """A matcher with one random dst in each block of the video.

    Attributes:
        seed: of the random dst.
        block: tokens of a block along frames, rows and columns.
        calls: matchings done.
    """

    seed: int
    block: Block
    calls: int = 0

    def _begin(self, request: MatchRequest) -> torch.Generator:
        """Count a matching; returns the source of its draws."""
        with _COUNTING:
            self.calls += 1
        return torch.Generator().manual_seed(draw_seed(self.seed, request.layer, request.step))


class BsmMatcher(_BlockMatcher):
    """Bipartite soft matching on float tokens."""

    def __call__(self, shown: Tensor, request: MatchRequest) -> Match:
        """Match one layer's tokens, float32 [N, D]."""
        return match_bsm(
            shown, request.grid, request.reduce, generator=self._begin(request), block=self.block
        )


class AsymRnRMatcher(_BlockMatcher):
    """AsymRnR's matching: each head for itself, Q by Q, keys and values by V."""

    def __call__(
        self, shown: tuple[Tensor, Tensor], request: MatchRequest
    ) -> tuple[HeadMatch, HeadMatch]:
        """Match Q and V of one layer, each float32 [H, N, d]."""
        generator = self._begin(request)
        query, value = (
            match_asymrnr(heads, request.grid, request.reduce, generator=generator,
                          block=self.block)
            for heads in shown
        )  # fmt: skip
        return query, value


_BLOCK_MATCHERS: dict[str, Callable[[int, Block], Matcher]] = {
    "bsm": BsmMatcher,
    "bsm2d": BsmMatcher,
    "asymrnr": AsymRnRMatcher,
}


def make_matcher(config: OrbisConfig, backend: MatchingBackend | None = None) -> Matcher:
    """The matcher that a config names.

    Args:
        config: which one, and how it matches.
        backend: what ``datm`` and ``random`` run on; the golden model, by default, as the config
            has it.

    Raises:
        ValueError: a backend for a matcher that runs on none.
    """
    if config.matcher not in ("datm", "random"):
        if backend is not None:
            raise ValueError(
                f"matcher is {config.matcher}, but a backend matches by datm or random alone."
            )
        return _BLOCK_MATCHERS[config.matcher](config.seed, BLOCKS[config.matcher])
    if backend is None:
        backend = make_backend("golden", bits=config.bits, scale_group=config.scale_group)
    options = config.match_options
    if config.matcher == "random":
        return DatmMatcher(backend, replace(options, spread=False, max_iterations=1))
    return DatmMatcher(backend, options, config.warm_start)
