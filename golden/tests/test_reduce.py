import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from golden.reduce import Reduction, kept_rows, restored_rows


@st.composite
def pairings(draw: st.DrawFn) -> tuple[int, list[int], list[int]]:
    """N, distinct src in any order, and a kept dst for each."""
    order = draw(st.permutations(range(draw(st.integers(1, 12)))))
    src = order[: draw(st.integers(0, len(order) - 1))]
    kept = st.sampled_from(order[len(src) :])
    return len(order), src, draw(st.lists(kept, min_size=len(src), max_size=len(src)))


@given(pairings(), st.integers(0, 3), st.integers(0, 3))
def test_restored_rows_are_their_own_or_their_dst(
    case: tuple[int, list[int], list[int]], before: int, after: int
) -> None:
    num_tokens, src, dst = case
    plan = Reduction.of(
        num_tokens,
        torch.tensor(src, dtype=torch.int64),
        torch.tensor(dst, dtype=torch.int64),
        before=before,
        after=after,
    )
    rows = before + num_tokens + after
    x = torch.arange(2 * rows * 3).reshape(2, rows, 3)
    copy = x.clone()
    stand_in = {before + s: before + d for s, d in zip(src, dst, strict=True)}
    kept = [row for row in range(rows) if row not in stand_in]

    reduced = plan.reduce(x)
    assert torch.equal(reduced, x[:, kept])
    stood_in_for = list(stand_in.values())
    assert plan.copies.tolist() == [1 + stood_in_for.count(row) for row in kept]
    restored = plan.restore(reduced)
    assert torch.equal(restored, x[:, [stand_in.get(row, row) for row in range(rows)]])
    # What was restored reduces to the same rows again, and the caller's tensor is as it was.
    assert torch.equal(plan.reduce(restored), reduced)
    restored += 1
    reduced += 1
    assert torch.equal(x, copy)


def test_rows_by_hand() -> None:
    src, dst = torch.tensor([4, 1]), torch.tensor([0, 3])
    assert kept_rows(5, src).tolist() == [0, 2, 3]
    assert restored_rows(5, src, dst).tolist() == [0, 2, 1, 2, 0]


def test_nothing_to_reduce_still_gives_a_new_tensor() -> None:
    none = torch.tensor([], dtype=torch.int64)
    plan, x = Reduction.of(3, none, none), torch.zeros(3, 2)
    plan.reduce(x).add_(1)
    plan.restore(x).add_(1)
    assert not x.any()


@pytest.mark.parametrize("dim", [0, 1, 2, -1, -2])
def test_any_dimension(dim: int) -> None:
    plan = Reduction.of(4, torch.tensor([2]), torch.tensor([0]))
    x = torch.arange(64).reshape(4, 4, 4)
    reduced = plan.reduce(x, dim)
    assert reduced.shape[dim] == 3
    assert torch.equal(plan.restore(reduced, dim).select(dim, 2), x.select(dim, 0))


@pytest.mark.parametrize(
    ("src", "dst", "message"),
    [
        ([1, 1], [0, 0], r"src lists 2 tokens but only 1 different ones; .* distinct\."),
        ([4], [0], r"src reaches from 4 to 4; it must lie in 0\.\.3\."),
        ([-1], [0], r"src reaches from -1 to -1; it must lie in 0\.\.3\."),
        ([1], [4], r"dst reaches from 4 to 4; it must lie in 0\.\.3\."),
        ([1], [-1], r"dst reaches from -1 to -1; it must lie in 0\.\.3\."),
        ([1], [], "src lists 1 tokens and dst 0; they must be pairs"),
        ([1, 2], [0, 1], "the dst of token 2 is itself a src; a dst must be kept"),
        ([1], [1], "the dst of token 1 is itself a src; a dst must be kept"),
    ],
)
def test_bad_pairs_are_refused(src: list[int], dst: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Reduction.of(4, torch.tensor(src), torch.tensor(dst, dtype=torch.int64), before=2, after=1)


def test_tensors_of_another_length_are_refused() -> None:
    plan = Reduction.of(4, torch.tensor([2]), torch.tensor([0]), before=1)
    with pytest.raises(ValueError, match="dimension -2 has 4 rows; it must have 5"):
        plan.reduce(torch.zeros(4, 2))
    with pytest.raises(ValueError, match="dimension 0 has 5 rows; it must have 4"):
        plan.restore(torch.zeros(5, 2), dim=0)
