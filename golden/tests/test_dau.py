from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from torch import Tensor

from golden import validate
from golden.dau import Points, distances
from golden.qe import Quantized
from golden.tests import oracle
from golden.tests.cases import levels, random_floats, random_levels, small_sets


def all_distances(tokens: Quantized | Tensor) -> Tensor:
    every = torch.arange(len(tokens.q if isinstance(tokens, Quantized) else tokens))
    return distances(tokens, every, every)


def brute_force(tokens: Quantized) -> Tensor:
    """int64 differences, without a matrix product."""
    difference = tokens.q[:, None].long() - tokens.q.long()
    return (difference.square() * tokens.weight).sum(dim=2)


SETTINGS = {
    "all": torch.backends,
    "cpu": torch.backends.mkldnn.matmul,  # type: ignore[attr-defined]  # the stubs lack it
    "gpu": torch.backends.cuda.matmul,
}


@pytest.fixture(params=["legacy", *SETTINGS])
def reduced_precision(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each way to permit that float32 is multiplied in a narrower type."""
    before = {name: setting.fp32_precision for name, setting in SETTINGS.items()}
    if request.param == "legacy":
        torch.set_float32_matmul_precision("medium")
    else:
        SETTINGS[request.param].fp32_precision = "tf32"
    yield
    torch.set_float32_matmul_precision("highest")
    for name, setting in SETTINGS.items():
        setting.fp32_precision = before[name]


@given(small_sets())
def test_distance_is_the_weighted_sum(tokens: Quantized) -> None:
    q, weight = tokens.q.tolist(), tokens.weight.tolist()
    want = [[oracle.distance(x, y, weight) for y in q] for x in q]
    assert all_distances(tokens).tolist() == want


# One run in float32; one run whose distances need float64; several runs; all in float64.
@pytest.mark.parametrize(
    ("channels", "weight_bits"), [(256, 8), (900, 8), (3072, 8), (64, 16), (3072, 16)]
)
def test_exact_at_any_size(channels: int, weight_bits: int) -> None:
    tokens = random_levels(40, channels, 1, weight_bits=weight_bits)
    # Odd weights of full size: sums are odd numbers that float32 could not hold.
    tokens.weight[::2] = (1 << weight_bits) - 1
    tokens.q[0], tokens.q[1] = 0, 15
    tokens.q[2:20] |= 12  # far from token 0, so that many distances come near the largest
    got = all_distances(tokens)
    assert got.dtype == torch.int64
    assert torch.equal(got, brute_force(tokens))
    assert got[0, 1] == 225 * tokens.weight.sum()


# Level 0 is -8 when centred, and B / 64 the sum of the weights: 3 B just within 2^24 and just above
# it, B at 2^24 and just above it, and more channels of full weight than one run holds.
@pytest.mark.parametrize(
    "weight",
    [
        [87_381 - 65_535, 65_535],
        [87_382 - 65_535, 65_535],
        [65_535] * 4 + [4],
        [65_535] * 4 + [5],
        [255] * 1028,
        [255] * 1029,
    ],
)
def test_the_bounds_are_reached(weight: list[int]) -> None:
    tokens = levels(torch.zeros(2, len(weight)), weight)
    tokens.q[1] = 15
    farthest = 225 * sum(weight)
    assert all_distances(tokens).tolist() == [[0, farthest], [farthest, 0]]


@pytest.mark.usefixtures("reduced_precision")
def test_exact_where_the_process_allows_reduced_precision() -> None:
    tokens = random_levels(64, 300, 2)
    # Not every processor makes use of the permission, so look at the dtype as well.
    points = Points(tokens)
    rows, slots = points.src_rows(torch.arange(64)), points.slots(torch.arange(64))
    assert rows.dtype == slots.values.dtype == points.tile(rows, slots).dtype == torch.float64
    assert torch.equal(all_distances(tokens), brute_force(tokens))


def test_exact_under_autocast() -> None:
    tokens = random_levels(64, 300, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(all_distances(tokens), brute_force(tokens))


def test_pairs_equal_the_tiles() -> None:
    tokens = random_levels(1500, 7, 4)
    src, dst = torch.arange(1500), torch.arange(1500).flip(0)
    pairs = Points(tokens).pairs(src, dst)
    assert pairs.dtype == torch.int64
    assert torch.equal(pairs, brute_force(tokens)[src, dst])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_float_distances(dtype: torch.dtype) -> None:
    tokens = random_floats(50, 33, 5).to(dtype)
    want = (tokens.double()[:, None] - tokens.double()).square().sum(dim=2)
    got = all_distances(tokens)
    assert got.dtype == torch.float32
    assert got.min() >= 0
    torch.testing.assert_close(got.double(), want, rtol=1e-5, atol=1e-3)
    src, dst = torch.arange(50), torch.arange(50).flip(0)
    pairs = Points(tokens).pairs(src, dst)
    assert torch.equal(pairs, want[src, dst].float())


def test_float_distances_survive_a_large_offset() -> None:
    # Without centring, 1e4^2 per channel would swallow distances of 0.01 in float32.
    tokens = 1e4 + torch.arange(4)[:, None] * torch.full((1, 8), 0.125)
    want = torch.tensor([[(i - j) ** 2 * 0.125 for j in range(4)] for i in range(4)])
    torch.testing.assert_close(all_distances(tokens), want, rtol=1e-3, atol=1e-3)


def test_float_distances_beyond_float32_are_refused() -> None:
    with pytest.raises(ValueError, match="tokens need squared distances up to"):
        Points(torch.tensor([[1e20], [-1e20]]))


def test_integers_beyond_exactness_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # Tokens that truly reach 2^53 take 300 MB, so the limit comes down to the tokens.
    tokens = levels(torch.zeros(30, 2), [255, 45])
    monkeypatch.setattr(validate, "EXACT_FLOAT64", 2 * 225 * 30 * 300)
    assert Points(tokens).exact
    monkeypatch.setattr(validate, "EXACT_FLOAT64", 2 * 225 * 30 * 300 - 1)
    with pytest.raises(ValueError, match=r"up to 4050000; they must stay within 2\^53\."):
        Points(tokens)


def test_malformed_levels_are_refused() -> None:
    good = levels([[1, 2], [3, 4]])
    with pytest.raises(ValueError, match=r"reach 16; they must lie in 0\.\.15\."):
        Points(levels([[16]]))
    with pytest.raises(ValueError, match=r"dtype int64; they must be uint8"):
        Points(Quantized(good.q.long(), good.weight, good.step, good.order))
    with pytest.raises(ValueError, match=r"weights have shape \[1\]"):
        Points(Quantized(good.q, good.weight[:1], good.step, good.order))
    for weight in (-1, 65536):
        with pytest.raises(ValueError, match=r"they must lie in 0\.\.65535\."):
            Points(levels([[1, 2]], [0, weight]))
