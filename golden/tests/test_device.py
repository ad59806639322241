"""The golden model on a GPU gives what it gives on the CPU, to the bit where it is exact."""

from dataclasses import fields
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from golden.asymrnr import match_asymrnr
from golden.bsm import match_bsm
from golden.datm import Match, match
from golden.options import MatchOptions
from golden.qe import quantize
from golden.reduce import Reduction
from golden.tests.cases import random_floats, random_levels

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")

TOKENS = random_floats(700, 48, 1).half()


def on_cpu(value: Any) -> Any:
    """What lies on the GPU, fetched; a tensor anywhere else is an error."""
    if isinstance(value, Tensor):
        assert value.device.type == "cuda"
        return value.cpu()
    return value


def assert_equal(got: Any, want: Any) -> None:
    for field in fields(want):
        one, other = on_cpu(getattr(got, field.name)), getattr(want, field.name)
        assert torch.equal(one, other) if isinstance(other, Tensor) else one == other, field.name


@pytest.mark.parametrize("options", [{}, {"scale_group": 16}, {"token_format": "bf16"}])
def test_quantize(options: dict[str, Any]) -> None:
    assert_equal(quantize(TOKENS.cuda(), **options), quantize(TOKENS, **options))


@pytest.mark.parametrize("weight_bits", [8, 16])
@pytest.mark.parametrize("init", [None, list(range(100, 275))])
def test_match(init: list[int] | None, weight_bits: int) -> None:
    options = MatchOptions(init=init, epsilon=0)
    want = match(quantize(TOKENS, weight_bits=weight_bits), 175, 260, options)
    assert want.iterations > 2
    got = match(quantize(TOKENS.cuda(), weight_bits=weight_bits), 175, 260, options)
    assert_equal(got, want)


def test_ties_go_to_the_lowest_slot() -> None:
    tokens = random_levels(2000, 3, 2, most=2)
    moved = type(tokens)(**{f.name: getattr(tokens, f.name).cuda() for f in fields(tokens)})
    assert_equal(match(moved, 900, 500), match(tokens, 900, 500))


def assert_near(got: Match, want: Match) -> None:
    # Sums of floats may be rounded in another order; these tokens have no pairs that nearly tie.
    for name in ("src", "dst", "medoids"):
        assert torch.equal(on_cpu(getattr(got, name)), getattr(want, name)), name
    torch.testing.assert_close(on_cpu(got.loss), want.loss, rtol=1e-6, atol=0)
    assert got.loss_history == pytest.approx(want.loss_history)


def test_float_matching() -> None:
    # One pairing: an update may break a tie of rounded scores either way.
    once = MatchOptions(max_iterations=1)
    want = match(TOKENS, 175, 260, once, bits=None)
    assert_near(match(TOKENS.cuda(), 175, 260, once, bits=None), want)
    want = match_bsm(TOKENS, (7, 10, 10), 300, generator=Generator().manual_seed(3))
    got = match_bsm(TOKENS.cuda(), (7, 10, 10), 300, generator=Generator().manual_seed(3))
    assert_near(got, want)


def test_matching_by_heads() -> None:
    heads = TOKENS.view(700, 2, 24).transpose(0, 1)
    want = match_asymrnr(heads, (7, 10, 10), 300, generator=Generator().manual_seed(4))
    got = match_asymrnr(heads.cuda(), (7, 10, 10), 300, generator=Generator().manual_seed(4))
    assert torch.equal(on_cpu(got.src), want.src)
    assert torch.equal(on_cpu(got.dst), want.dst)
    torch.testing.assert_close(on_cpu(got.loss), want.loss, rtol=1e-6, atol=0)


def test_reduce_and_restore() -> None:
    found = match(TOKENS, 175, 260)
    want = Reduction.of(700, found.src, found.dst, before=5, after=2)
    got = Reduction.of(700, found.src.cuda(), found.dst.cuda(), before=5, after=2)
    assert_equal(got, want)
    rows = torch.arange(707.0)[:, None]
    assert torch.equal(
        on_cpu(got.restore(got.reduce(rows.cuda()))), want.restore(want.reduce(rows))
    )
