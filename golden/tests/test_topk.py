import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from golden.topk import topk


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.data())
def test_least_pairs_by_loss_then_src(losses: list[int], data: st.DataObject) -> None:
    src = data.draw(st.permutations(range(0, 3 * len(losses), 3)))
    k = data.draw(st.integers(0, len(losses)))
    got_loss, got_src = topk(torch.tensor(losses), torch.tensor(src), k)
    want = sorted(zip(losses, src, strict=True))[:k]
    assert list(zip(got_loss.tolist(), got_src.tolist(), strict=True)) == want


@pytest.mark.parametrize("dtype", [torch.int64, torch.float32])
def test_dtype_and_many_ties(dtype: torch.dtype) -> None:
    loss = torch.randint(0, 4, (5000,), generator=torch.Generator().manual_seed(0)).to(dtype)
    got_loss, got_src = topk(loss, torch.arange(5000), 3000)
    want = [src for _, src in sorted(zip(loss.tolist(), range(5000), strict=True))]
    assert got_loss.dtype == dtype
    assert got_src.tolist() == want[:3000]
