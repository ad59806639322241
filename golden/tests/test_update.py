import pytest
import torch
from hypothesis import given

from golden import blocks
from golden.datm import pair
from golden.dau import Points
from golden.qe import Quantized
from golden.tests import oracle
from golden.tests.cases import levels, random_floats, random_levels, sets_with_dst
from golden.update import best_member, group_sums, scores, update


@given(sets_with_dst())
def test_new_dst_is_the_exact_medoid(case: tuple[Quantized, list[int]]) -> None:
    # The oracle adds up all distances within a group: it knows nothing of means or scores.
    tokens, dst = case
    q, weight = tokens.q.tolist(), tokens.weight.tolist()
    slots, _ = oracle.pair(q, weight, dst)
    got = update(Points(tokens), torch.tensor(slots), torch.tensor(dst))
    assert got.tolist() == oracle.update(q, weight, slots, dst)


def test_ties_keep_the_current_dst_else_take_the_lowest_token() -> None:
    # Tokens 0..3 sit on the corners of a square: all are equally near to its centre.
    square = levels([[0, 0], [0, 2], [2, 0], [2, 2], [1, 1], [1, 1]])
    corners = torch.tensor([0, 0, 0, 0, 1, 1])
    assert update(Points(square), corners, torch.tensor([2, 5])).tolist() == [2, 5]
    # With the centre in the group it wins; of its two copies the lower index does.
    one = torch.zeros(6, dtype=torch.int64)
    assert update(Points(square), one, torch.tensor([3])).tolist() == [4]


def test_best_member_by_hand() -> None:
    score = torch.tensor([5, 3, 3, 9, 3, -1])
    slot = torch.tensor([0, 0, 0, 1, 0, 1])
    assert best_member(score, slot, torch.tensor([0, 3])).tolist() == [1, 5]
    assert best_member(score, slot, torch.tensor([4, 3])).tolist() == [4, 5]


def test_scores_are_exact_at_full_size() -> None:
    # One group with the largest sums that 2,000 tokens can make, in Python's integers.
    tokens = random_levels(2000, 5, 1, weight_bits=16)
    tokens.q[100:], tokens.weight[:2] = 15, 65535
    got = scores(Points(tokens), torch.zeros(2000, dtype=torch.int64), 1)
    q, weight = tokens.q.tolist(), tokens.weight.tolist()
    total = [sum(column) for column in zip(*q, strict=True)]
    want = [
        2000 * sum(w * x * x for w, x in zip(weight, row, strict=True))
        - 2 * sum(w * x * s for w, x, s in zip(weight, row, total, strict=True))
        for row in q[:120]
    ]
    assert got.dtype == torch.int64
    assert got[:120].tolist() == want


def test_row_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    points = Points(random_levels(100, 10, 2))
    slot = torch.randint(0, 9, (100,), generator=torch.Generator().manual_seed(2))
    whole = scores(points, slot, 9)
    for values in (1, 30, 999):
        monkeypatch.setattr(blocks, "VALUES", values)
        assert torch.equal(scores(points, slot, 9), whole)


def test_group_sums() -> None:
    values = torch.tensor([[1, 2], [3, 4], [5, 6]])
    assert group_sums(values, torch.tensor([2, 0, 2]), 3).tolist() == [[3, 4], [0, 0], [6, 8]]


def test_float_update() -> None:
    tokens = random_floats(200, 12, 4)
    points, dst = Points(tokens), torch.arange(0, 200, 10)
    slot = pair(points, dst).slot
    moved = update(points, slot, dst)
    assert not torch.equal(moved, dst)
    squared = torch.cdist(tokens.double(), tokens.double()).square()
    for j, token in enumerate(moved.tolist()):
        group = (slot == j).nonzero().flatten()
        cost = squared[group][:, group].sum(dim=1)
        assert token in group.tolist()
        assert cost[group.tolist().index(token)] <= cost.min() * (1 + 1e-9)
