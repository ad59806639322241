"""Token sets that several tests share."""

from hypothesis import strategies as st
from torch import (
    Generator,
    Tensor,
    arange,
    float32,
    int64,
    ones,
    rand,
    randint,
    randn,
    tensor,
    uint8,
)

from golden.qe import Quantized


def levels(q: Tensor | list[list[int]], weight: Tensor | list[int] | None = None) -> Quantized:
    """Quantised tokens straight from levels; every weight is 1 unless given."""
    q = q.to(uint8) if isinstance(q, Tensor) else tensor(q, dtype=uint8)
    channels = q.shape[1]
    weight = ones(channels) if weight is None else weight
    weight = weight.to(int64) if isinstance(weight, Tensor) else tensor(weight, dtype=int64)
    return Quantized(q, weight, ones(channels, dtype=float32), arange(channels))


def random_levels(
    num_tokens: int, channels: int, seed: int, *, most: int = 15, weight_bits: int = 8
) -> Quantized:
    """Uniform levels 0..most and uniform weights; a small most makes many ties."""
    generator = Generator().manual_seed(seed)
    q = randint(0, most + 1, (num_tokens, channels), generator=generator)
    return levels(q, randint(0, 1 << weight_bits, (channels,), generator=generator))


def random_floats(num_tokens: int, channels: int, seed: int) -> Tensor:
    """Tokens in clusters, so that matching has something to find, far off the origin."""
    generator = Generator().manual_seed(seed)
    centres = randn(num_tokens // 4 + 1, channels, generator=generator)
    which = randint(0, len(centres), (num_tokens,), generator=generator)
    return centres[which] + 0.3 * rand(num_tokens, channels, generator=generator) + 5


@st.composite
def small_sets(draw: st.DrawFn) -> Quantized:
    """2 to 14 tokens of 1 to 4 channels; few levels are common, so ties and copies are too."""
    shape = draw(st.tuples(st.integers(2, 14), st.integers(1, 4)))
    level = st.integers(0, draw(st.sampled_from([0, 1, 2, 15])))
    weight = st.integers(0, draw(st.sampled_from([1, 3, 255])))
    row = st.lists(level, min_size=shape[1], max_size=shape[1])
    q = draw(st.lists(row, min_size=shape[0], max_size=shape[0]))
    return levels(q, draw(st.lists(weight, min_size=shape[1], max_size=shape[1])))


@st.composite
def sets_with_dst(draw: st.DrawFn) -> tuple[Quantized, list[int]]:
    """A small set and a dst list in any order, 1 to N - 1 long."""
    tokens = draw(small_sets())
    order = draw(st.permutations(range(len(tokens.q))))
    return tokens, list(order[: draw(st.integers(1, len(order) - 1))])
