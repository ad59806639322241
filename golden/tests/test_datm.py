from fractions import Fraction
from itertools import pairwise
from typing import Any

import kmedoids
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from golden import blocks, min_tree
from golden.datm import Match, match, pair
from golden.dau import Points
from golden.options import MatchOptions
from golden.qe import Quantized, quantize
from golden.sampler import sample
from golden.tests import oracle
from golden.tests.cases import levels, random_floats, random_levels, sets_with_dst


def integer_distances(tokens: Quantized) -> Tensor:
    difference = tokens.q[:, None].long() - tokens.q.long()
    return (difference.square() * tokens.weight).sum(dim=2)


def slots(tokens: Quantized | Tensor, got: Match) -> Tensor:
    """The slot of every token in the last pairing, whose dst are the medoids."""
    return pair(Points(tokens), got.medoids).slot


def assert_equal(one: Match, other: Match) -> None:
    for name in ("src", "dst", "loss", "medoids"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name
    assert one.loss_history == other.loss_history


@given(sets_with_dst(), st.data())
def test_whole_loop_is_brute_force(case: tuple[Quantized, list[int]], data: st.DataObject) -> None:
    tokens, init = case
    reduce = data.draw(st.integers(0, len(tokens.q) - len(init)))
    epsilon = data.draw(st.sampled_from([0, 66, 6554, 65535]))
    most = data.draw(st.sampled_from([1, 2, 20]))
    options = MatchOptions(init=init, epsilon=epsilon / 65536, max_iterations=most)
    got = match(tokens, len(init), reduce, options)
    pairs, medoids, history = oracle.datm(
        tokens.q.tolist(), tokens.weight.tolist(), init, reduce, Fraction(epsilon, 65536), most
    )
    columns = zip(got.loss.tolist(), got.src.tolist(), got.dst.tolist(), strict=True)
    assert list(columns) == pairs
    assert got.medoids.tolist() == medoids
    assert list(got.loss_history) == history
    assert got.iterations == len(history)


@given(sets_with_dst())
def test_properties_of_every_match(case: tuple[Quantized, list[int]]) -> None:
    tokens, init = case
    num_dst, num_src = len(init), len(tokens.q) - len(init)
    got = match(tokens, num_dst, num_src, MatchOptions(init=init, epsilon=0, max_iterations=100))
    history = list(got.loss_history)
    # Every update but the last moves a slot, and none can raise L.
    assert history == sorted(history, reverse=True)
    assert history[-1] == got.loss.sum()
    pairs = list(zip(got.loss.tolist(), got.src.tolist(), strict=True))
    assert pairs == sorted(pairs)
    medoids = got.medoids.tolist()
    assert len(set(medoids)) == num_dst
    assert set(got.src.tolist()) | set(medoids) == set(range(len(tokens.q)))
    assert set(got.dst.tolist()) <= set(medoids)
    # Each dst is the medoid of its own group: no member has a lower sum of distances.
    distance, slot = integer_distances(tokens), slots(tokens, got)
    for j, medoid in enumerate(medoids):
        group = (slot == j).nonzero().flatten()
        assert medoid in group.tolist()
        cost = distance[group][:, group].sum(dim=1)
        assert cost[group.tolist().index(medoid)] == cost.min()


@pytest.mark.parametrize("seed", range(12))
def test_epsilon_zero_equals_alternating_k_medoids(seed: int) -> None:
    num_tokens, num_dst = 150 + 10 * seed, 20 + 3 * seed
    tokens = random_levels(num_tokens, 6, seed)
    init = sample(num_tokens, num_dst, seed)
    got = match(tokens, num_dst, 0, MatchOptions(seed=seed, epsilon=0, max_iterations=1000))
    want = kmedoids.alternating(integer_distances(tokens).numpy(), init.numpy(), 1000)
    assert got.iterations > 1
    assert set(got.medoids.tolist()) == set(want.medoids.tolist())
    assert got.loss_history[-1] == want.loss


def test_published_field_types() -> None:
    got = match(random_levels(30, 4, 1), 5, 10)
    for name in ("src", "dst", "loss", "medoids"):
        assert getattr(got, name).dtype == torch.int64
    assert (len(got.src), len(got.dst), len(got.loss)) == (10, 10, 10)
    assert all(isinstance(total, int) for total in got.loss_history)
    assert match(random_floats(30, 4, 1), 5, 10, bits=None).loss.dtype == torch.float32


@pytest.mark.parametrize("options", [{}, {"scale_group": 4}, {"token_format": "bf16"}])
def test_tokens_are_quantised_as_asked(options: dict[str, Any]) -> None:
    tokens = random_floats(120, 10, 2)
    quantized = quantize(tokens, **options)
    found = match(quantized, 20, 50)
    assert torch.equal(found.loss, integer_distances(quantized)[found.src, found.dst])
    if not options:
        assert_equal(match(tokens, 20, 50), found)
    # And the options matter: another scale gives other losses.
    assert not torch.equal(
        found.loss, match(quantize(tokens, weight_bits=5, **options), 20, 50).loss
    )


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = random_levels(300, 5, 3, most=4)
    whole = match(tokens, 60, 100)
    assert whole.iterations > 2
    monkeypatch.setattr(blocks, "VALUES", 97)
    monkeypatch.setattr(min_tree, "SRC_BLOCK", 37)
    monkeypatch.setattr(min_tree, "SLOT_BLOCK", 11)
    monkeypatch.setattr(min_tree, "SLOT_VALUES", 2 * 11 * 5)
    assert_equal(whole, match(tokens, 60, 100))


def test_epsilon_stops_early() -> None:
    tokens = random_levels(400, 4, 4)
    full = match(tokens, 80, 0, MatchOptions(epsilon=0, max_iterations=100)).loss_history
    sooner = MatchOptions(epsilon=6554 / 65536, max_iterations=100)
    early = match(tokens, 80, 0, sooner).loss_history
    assert 1 < len(early) < len(full)
    assert early == full[: len(early)]
    changes = [abs(a - b) * 65536 < 6554 * a for a, b in pairwise(early)]
    assert changes == [False] * (len(changes) - 1) + [True]


def test_epsilon_is_relative_to_the_earlier_loss() -> None:
    tokens = random_levels(400, 4, 4)
    first, second = match(tokens, 80, 0, MatchOptions(epsilon=0, max_iterations=2)).loss_history
    least = (first - second) * 65536 // first + 1  # enough for the first, not for the second
    assert (first - second) * 65536 >= least * second
    assert match(tokens, 80, 0, MatchOptions(epsilon=least / 65536)).iterations == 2
    assert match(tokens, 80, 0, MatchOptions(epsilon=(least - 1) / 65536)).iterations > 2


def test_one_iteration_is_random_dst_matching() -> None:
    tokens = random_levels(100, 4, 5)
    got = match(tokens, 25, 30, MatchOptions(seed=9, max_iterations=1))
    assert got.medoids.tolist() == sample(100, 25, 9).tolist()
    assert got.iterations == 1
    other = match(tokens, 25, 30, MatchOptions(seed=10, max_iterations=1))
    assert other.medoids.tolist() != got.medoids.tolist()


def test_warm_start_from_a_final_list_moves_nothing() -> None:
    tokens = random_levels(200, 4, 6)
    cold = match(tokens, 40, 80, MatchOptions(epsilon=0, max_iterations=100))
    warm = match(tokens, 40, 80, MatchOptions(init=cold.medoids, epsilon=0))
    assert cold.iterations > 1
    assert warm.iterations == 1
    assert torch.equal(warm.medoids, cold.medoids)
    assert torch.equal(warm.src, cold.src)


def test_init_keeps_slot_order() -> None:
    tokens = levels([[0], [1], [14], [15]])
    got = match(tokens, 2, 1, MatchOptions(init=[3, 0], max_iterations=1))
    assert got.medoids.tolist() == [3, 0]
    assert slots(tokens, got).tolist() == [1, 1, 0, 0]


def test_equal_tokens_pair_with_slot_zero_at_no_loss() -> None:
    got = match(torch.ones(6, 3), 2, 4, MatchOptions(init=[4, 1]))
    assert got.loss.tolist() == [0, 0, 0, 0]
    assert got.src.tolist() == [0, 2, 3, 5]
    assert got.dst.tolist() == [4, 4, 4, 4]
    assert got.iterations == 1


def float_distances(tokens: Tensor) -> Tensor:
    return (tokens.double()[:, None] - tokens.double()).square().sum(dim=2)


def test_float_loop() -> None:
    # In float64 the products of float16 values are exact, so that ties are ties for both.
    tokens = random_floats(400, 24, 7).half()
    got = match(tokens, 100, 200, MatchOptions(epsilon=0, max_iterations=100), bits=None)
    history = list(got.loss_history)
    assert len(history) > 2
    assert history == sorted(history, reverse=True)
    squared = float_distances(tokens)
    assert torch.equal(got.loss, squared[got.src, got.dst].float())
    # Every src went to its nearest medoid, and the same alternation gives the same medoids.
    assert torch.equal(squared[:, got.medoids].argmin(dim=1)[got.src], slots(tokens, got)[got.src])
    want = kmedoids.alternating(squared.numpy(), sample(400, 100, 0).numpy(), 1000)
    assert set(got.medoids.tolist()) == set(want.medoids.tolist())


def test_four_bits_come_near_float() -> None:
    tokens = random_floats(500, 32, 8)
    squared = float_distances(tokens)

    def cost(**options: Any) -> float:
        got = match(tokens, 125, 200, **options)
        return squared[got.src, got.dst].sum().item()

    # These clusters are hardly wider than a quantisation step: a hard case for 4 bits.
    assert cost(bits=None) < cost(bits=4) < 1.2 * cost(bits=None)


@pytest.mark.parametrize(
    ("num_dst", "reduce", "options", "message"),
    [
        (0, 0, {}, r"num_dst is 0; it must be at least 1\."),
        (8, 0, {}, r"num_dst is 8; it must be less than the number of tokens, 8\."),
        (3, -1, {}, r"reduce is -1; it must be at least 0\."),
        (3, 6, {}, r"reduce is 6; it must be at most the number of src tokens, 8 - 3 = 5\."),
        (3, 1, {"seed": -1}, r"seed is -1; it must lie in 0\.\.4294967295\."),
        (3, 1, {"seed": 2**32}, "seed is 4294967296; it must lie in"),
        (3, 1, {"seed": -1, "init": [0, 1, 2]}, "seed is -1; it must lie in"),
        (3, 1, {"init": [0, 1]}, r"init lists 2 tokens; it must list num_dst = 3\."),
        (3, 1, {"init": [0, 1, 8]}, r"init lists token 8; it must lie in 0\.\.7\."),
        (3, 1, {"init": [0, 1, -1]}, r"init lists token -1; it must lie in 0\.\.7\."),
        (3, 1, {"init": [0, 1, 1]}, r"init lists token 1 twice; its tokens must be distinct\."),
        (1, 1, {"init": torch.tensor([0.5])}, "dtype float32; it must be a list of integers"),
        (1, 1, {"init": torch.tensor([[0]])}, r"shape \[1, 1\].*; it must be a list of integers"),
        (3, 1, {"epsilon": 1}, r"epsilon is 1; it must lie in 0\.\.65535/65536"),
        (3, 1, {"epsilon": -1}, r"epsilon is -1; it must lie in 0\.\.65535/65536"),
        (3, 1, {"max_iterations": 0}, r"max_iterations is 0; it must be at least 1\."),
    ],
)
def test_bad_arguments_are_refused(
    num_dst: int, reduce: int, options: dict[str, Any], message: str
) -> None:
    for bits in (4, None):
        with pytest.raises(ValueError, match=message):
            match(random_floats(8, 2, 0), num_dst, reduce, MatchOptions(**options), bits=bits)


def test_other_widths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"bits is 8; it must be 4, or None for floats\."):
        match(random_floats(8, 2, 0), 3, 1, bits=8)


@pytest.mark.parametrize("bits", [4, None])
@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (torch.zeros(4), r"tokens have shape \[4\]; they must be a matrix"),
        (torch.zeros(4, 2, 1), r"tokens have shape \[4, 2, 1\]; they must be a matrix"),
        (torch.zeros(4, 2).long(), "dtype int64; it must be float16, bfloat16 or float32"),
        (torch.zeros(4, 2).double(), "dtype float64; it must be float16, bfloat16 or float32"),
        (torch.zeros(4, 0), r"shape \[4, 0\]; at least 1 token and 1 channel are needed"),
        (torch.tensor([[1.0], [float("nan")]]), "token 1, channel 0 is nan; .* must be finite"),
        (torch.tensor([[float("inf")], [1.0]]), "token 0, channel 0 is inf; .* must be finite"),
    ],
)
def test_bad_tokens_are_refused(tokens: Tensor, message: str, bits: int | None) -> None:
    with pytest.raises(ValueError, match=message):
        match(tokens, 1, 0, bits=bits)


def test_quantised_tokens_cannot_be_matched_as_floats() -> None:
    with pytest.raises(ValueError, match="bits is None but the tokens are quantised"):
        match(random_levels(4, 2, 0), 1, 0, bits=None)
