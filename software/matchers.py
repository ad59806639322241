"""Matchers for the loop: DATM on either backend, and the BSM baseline.

Each is a callable ``matcher(tokens, layer, step)``, as software.reduction wants it, and keeps count
of what it did. A run's matchers depend on its seed alone: every layer and step draws from a seed of
its own, so that a result does not depend on the order of the calls.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from golden import Match, match_bsm
from software.backends import Matched, MatchingBackend


def draw_seed(seed: int, layer: int, step: int) -> int:
    """Seed of one matching: distinct for every (layer, step) below 1,000 layers, in 0..2^32 - 1."""
    return (seed * 1_000_003 + step * 1_000 + layer) % 2**32


@dataclass
class DatmMatcher:
    """DATM on a backend: golden or RTL, 4-bit or float, as the backend was made.

    Attributes:
        backend: does the matching.
        num_dst: M.
        reduce: K.
        seed: of the initial dst tokens.
        max_iterations: most pairings; 1 leaves the random dst as they are.
        epsilon_q16: least relative change of the loss that goes on, in Q0.16.
        warm_start: start from the layer's previous dst list where there is one.
        calls: matchings done.
        iterations: pairings done, over all matchings.
        cycles: engine cycles over all matchings; 0 from a backend without a clock.
    """

    backend: MatchingBackend
    num_dst: int
    reduce: int
    seed: int = 0
    max_iterations: int = 20
    epsilon_q16: int = 66
    warm_start: bool = False
    calls: int = 0
    iterations: int = 0
    cycles: int = 0
    _medoids: dict[int, Tensor] = field(default_factory=dict, repr=False)

    def __call__(self, tokens: Tensor, layer: int, step: int) -> Matched:
        """Match one layer's tokens, float32 [N, D]."""
        found = self.backend.match(
            tokens,
            self.num_dst,
            self.reduce,
            seed=draw_seed(self.seed, layer, step),
            init=self._medoids.get(layer),
            epsilon_q16=self.epsilon_q16,
            max_iterations=self.max_iterations,
        )
        if self.warm_start:
            self._medoids[layer] = found.medoids
        self.calls += 1
        self.iterations += found.iterations
        self.cycles += found.cycles or 0
        return found


@dataclass
class BsmMatcher:
    """Bipartite soft matching on float tokens: one random dst in each block of the video.

    Attributes:
        grid: video tokens as (frames, rows, columns).
        reduce: K.
        seed: of the random dst.
        block: tokens of a block along each axis.
        calls: matchings done.
    """

    grid: tuple[int, int, int]
    reduce: int
    seed: int = 0
    block: tuple[int, int, int] = (2, 2, 2)
    calls: int = 0

    def __call__(self, tokens: Tensor, layer: int, step: int) -> Match:
        """Match one layer's tokens, float32 [N, D]."""
        self.calls += 1
        generator = torch.Generator().manual_seed(draw_seed(self.seed, layer, step))
        return match_bsm(tokens, self.grid, self.reduce, generator=generator, block=self.block)
