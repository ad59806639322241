from itertools import islice, repeat

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from golden import sampler
from golden.sampler import draws, sample, xorshift32
from golden.tests import oracle


def test_published_sequence() -> None:
    # Marsaglia's xorshift32 with shifts 13, 17, 5 from state 1.
    assert list(islice(xorshift32(1), 4)) == [270369, 67634689, 2647435461, 307599695]


@pytest.mark.parametrize("seed", [0, 1, 12345, 0xFFFFFFFF])
def test_generator_stays_within_32_bits_and_never_stops_at_0(seed: int) -> None:
    values = list(islice(draws(seed), 5000))
    assert all(0 < value < 1 << 32 for value in values)
    assert len(set(values)) == len(values)


def test_seed_is_whitened_and_eight_draws_are_discarded() -> None:
    assert next(draws(0)) == next(islice(xorshift32(0x9E3779B9), 8, None))
    # The one seed that whitens to 0, where xorshift would stay, starts from state 1 instead.
    assert next(draws(0x9E3779B9)) == next(islice(xorshift32(1), 8, None))


@given(st.integers(2, 40), st.data())
def test_selection_takes_each_token_with_the_right_probability(
    num_tokens: int, data: st.DataObject
) -> None:
    num_dst = data.draw(st.integers(1, num_tokens - 1))
    seed = data.draw(st.integers(0, 2**32 - 1))
    chosen = sample(num_tokens, num_dst, seed)
    assert chosen.dtype == torch.int64
    assert chosen.tolist() == oracle.selection(draws(seed), num_tokens, num_dst)
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    assert len(chosen) == num_dst


def test_a_draw_on_the_boundary_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler, "draws", lambda seed: repeat(1 << 31))
    assert sample(2, 1, 0).tolist() == [1]
    monkeypatch.setattr(sampler, "draws", lambda seed: repeat((1 << 31) - 1))
    assert sample(2, 1, 0).tolist() == [0]


def test_every_token_is_equally_likely() -> None:
    num_tokens, num_dst, runs = 20, 5, 2000
    counts = torch.zeros(num_tokens)
    for seed in range(runs):
        counts[sample(num_tokens, num_dst, seed)] += 1
    deviation = (runs * 0.25 * 0.75) ** 0.5
    assert (counts - runs * 0.25).abs().max() < 4.5 * deviation


def test_the_largest_model_is_sampled_whole() -> None:
    chosen = sample(67320, 16830, 7)
    assert len(set(chosen.tolist())) == 16830
    # Spread evenly: the mean of the tokens lies within 4 deviations of the middle.
    deviation = 67320 / (12 * 16830) ** 0.5
    assert abs(chosen.double().mean().item() - 67319 / 2) < 4 * deviation


@pytest.mark.parametrize("seed", [-1, 1 << 32])
def test_bad_seed_is_refused(seed: int) -> None:
    with pytest.raises(ValueError, match=rf"seed is {seed}; it must lie in 0\.\.4294967295\."):
        sample(10, 2, seed)


@pytest.mark.parametrize("num_dst", [0, 10])
def test_bad_size_is_refused(num_dst: int) -> None:
    with pytest.raises(ValueError, match=f"num_dst is {num_dst}; it must be"):
        sample(10, num_dst, 0)
