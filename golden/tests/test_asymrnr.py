import pytest
import torch

from golden.asymrnr import match_asymrnr
from golden.bsm import block_of

GRID = (3, 4, 4)
REDUCE = 17


def heads() -> torch.Tensor:
    return torch.randn(2, 48, 5, generator=torch.Generator().manual_seed(0))


def test_each_head_is_paired_as_brute_force_pairs_it_with_one_dst_a_block_for_all() -> None:
    rows = heads()
    everything = match_asymrnr(rows, GRID, 48 - 8, generator=torch.Generator().manual_seed(1))
    found = match_asymrnr(rows, GRID, REDUCE, generator=torch.Generator().manual_seed(1))
    # All that is never a src is a dst: the same in both heads, one in each block.
    dst = [sorted(set(range(48)) - set(src)) for src in everything.src.tolist()]
    assert dst[0] == dst[1]
    assert torch.equal(block_of(GRID, (2, 2, 2))[dst[0]].sort().values, torch.arange(8))
    for head in range(2):
        points = rows[head].double()
        pairs = sorted(
            min((float((points[src] - points[j]).square().sum()), src, j) for j in dst[head])
            for src in everything.src[head].tolist()
        )[:REDUCE]
        losses, src, stand_in = zip(*pairs, strict=True)
        assert found.src[head].tolist() == list(src)
        assert found.dst[head].tolist() == list(stand_in)
        assert found.loss[head].tolist() == pytest.approx(losses, rel=1e-5)


def test_what_does_not_fit_is_refused() -> None:
    generator = torch.Generator()
    with pytest.raises(ValueError, match=r"heads have shape \[48, 5\]; grid \(3, 4, 4\) needs \[H"):
        match_asymrnr(heads()[0], GRID, 1, generator=generator)
    with pytest.raises(ValueError, match="heads have shape"):
        match_asymrnr(heads(), (3, 4, 5), 1, generator=generator)
    with pytest.raises(ValueError, match="41"):
        match_asymrnr(heads(), GRID, 41, generator=generator)
