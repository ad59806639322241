import math

import pytest
import torch

from golden.dxe.softmax import Running, factor_of, softmax
from tests.tree import ROOT


def error_bound(scores: torch.Tensor, scale: float, lanes: int) -> float:
    """As its docstring states."""
    powers = scores.abs().max().item() * scale * math.log2(math.e)
    tiles = -(-scores.shape[1] // lanes)
    return (6 * powers + 4 * tiles + 12) * 2.0**-24


def relative_error(scores: torch.Tensor, scale: float, lanes: int) -> float:
    exact = torch.softmax(scores.double() * scale, dim=1)
    found = softmax(scores, scale, lanes).double()
    normal = exact > 2.0**-126
    assert (found[~normal] <= 2.0**-125).all()
    return ((found - exact).abs() / exact)[normal].max().item()


@pytest.mark.parametrize("spread", [0.1, 3.0, 40.0])
@pytest.mark.parametrize("columns", [1, 63, 64, 65, 1000])
def test_error_is_within_the_bound(columns: int, spread: float) -> None:
    draw = torch.Generator().manual_seed(columns)
    scores = spread * torch.randn(20, columns, generator=draw)
    assert relative_error(scores, 0.7, 64) <= error_bound(scores, 0.7, 64)


def test_error_over_all_tokens_of_a_video() -> None:
    """17,550 scores a row, rising, falling and at random."""
    draw = torch.Generator().manual_seed(2)
    scores = 6 * torch.randn(3, 17_550, generator=draw)
    scores[0] = scores[0].sort().values
    scores[1] = scores[1].sort(descending=True).values
    error, bound = relative_error(scores, 1.0, 64), error_bound(scores, 1.0, 64)
    assert error <= bound
    page = " ".join((ROOT / "docs" / "dxe.md").read_text().split())
    for words, value in (("within", error), ("bound being", bound)):
        assert f"{words} {value:.1e}".replace("e-0", "e-") in page


def test_a_tile_changes_what_was_known_before() -> None:
    factor = factor_of(1.0)
    known, _, shrink = Running.start(1).step(torch.tensor([[0.0, 0.0]]), factor, 2)
    assert (known.largest.item(), known.total.item(), shrink.item()) == (0, 2, 0)
    ten = torch.tensor([[math.log(2) * 10]])
    later, weights, shrink = known.step(ten, factor, 2)
    assert later.largest.item() == pytest.approx(10)
    assert weights.item() == 1
    assert shrink.item() == pytest.approx(2**-10, rel=1e-5)
    assert later.total.item() == pytest.approx(1 + 2 * 2**-10, rel=1e-6)
