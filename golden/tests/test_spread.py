import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from golden import spread as spread_module
from golden.datm import match
from golden.options import MatchOptions
from golden.qe import Quantized, quantize
from golden.sampler import sample
from golden.spread import spread
from golden.tests.cases import random_floats, random_levels, small_sets


def slow_spread(tokens: Quantized, num_dst: int, seed: int) -> list[int]:
    """The definition, a token at a time."""
    q, weight = tokens.q.long().tolist(), tokens.weight.long().tolist()

    def distance(one: int, other: int) -> int:
        return sum(w * (a - b) ** 2 for w, a, b in zip(weight, q[one], q[other], strict=True))

    chosen = sample(len(q), 1, seed).tolist()
    while len(chosen) < num_dst:
        gaps = {
            token: min(distance(token, dst) for dst in chosen)
            for token in range(len(q)) if token not in chosen
        }  # fmt: skip
        chosen.append(min(gaps, key=lambda token: (-gaps[token], token)))
    return chosen


@settings(max_examples=150, deadline=None)
@given(small_sets(), st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 3, 256]), st.data())
def test_each_dst_is_the_token_farthest_from_those_before(
    tokens: Quantized, seed: int, candidates: int, data: st.DataObject
) -> None:
    num_dst = data.draw(st.integers(1, len(tokens.q) - 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spread_module, "CANDIDATES", candidates)
        assert spread(tokens, num_dst, seed).tolist() == slow_spread(tokens, num_dst, seed)


def test_which_candidates_there_are_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """On sets so large that gaps are brought up to date several times, with ties and without."""
    for tokens in (random_levels(300, 6, 1, most=2), quantize(random_floats(300, 24, 2))):
        whole = spread(tokens, 90, 5)
        assert len(set(whole.tolist())) == 90
        for candidates in (1, 7, 40):
            monkeypatch.setattr(spread_module, "CANDIDATES", candidates)
            assert torch.equal(spread(tokens, 90, 5), whole)
        monkeypatch.undo()


def test_float_tokens_spread_as_their_distances_say() -> None:
    tokens = random_floats(60, 8, 0)
    found = spread(tokens, 12, 3)
    away = torch.cdist(tokens.double(), tokens.double())
    for place in range(1, 12):
        gaps = away[:, found[:place]].amin(1)
        assert float(gaps[found[place]]) >= float(gaps.max()) * (1 - 1e-4)


def test_a_match_starts_from_it() -> None:
    tokens = quantize(random_floats(80, 12, 4))
    started = match(tokens, 20, 30, MatchOptions(seed=9, spread=True, max_iterations=1))
    assert torch.equal(started.medoids, spread(tokens, 20, 9))
    given_list = match(tokens, 20, 30, MatchOptions(init=[*range(20)], spread=True,
                                                    max_iterations=1))  # fmt: skip
    assert given_list.medoids.tolist() == [*range(20)]
    drawn = match(tokens, 20, 30, MatchOptions(seed=9))
    spread_out = match(tokens, 20, 30, MatchOptions(seed=9, spread=True))
    assert float(spread_out.loss.max()) < float(drawn.loss.max())


def test_bad_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="num_dst"):
        spread(random_levels(5, 2, 0), 5, 0)
