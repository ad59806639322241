import itertools
import math
from fractions import Fraction

import pytest
import torch

from golden.dxe.mac import QUIET_NAN, mac
from golden.tests.dxe.rounding import to_float32

DTYPES = (torch.float16, torch.bfloat16)


def exact(addend: float, a: float, b: float) -> float:
    """Both roundings, from fractions; of finite numbers other than 0."""
    product = to_float32(Fraction(a) * Fraction(b))
    return product if math.isinf(product) else to_float32(Fraction(addend) + Fraction(product))


def draws(dtype: torch.dtype, count: int) -> list[tuple[float, float, float]]:
    draw = torch.Generator().manual_seed(3)
    bits = torch.randint(-(1 << 15), 1 << 15, (2, count), generator=draw).to(torch.int16)
    a, b = bits.view(dtype)
    near = torch.exp2(torch.randint(-30, 31, (count,), generator=draw).float())
    addend = a.float() * b.float() * near * torch.randn(count, generator=draw)
    kept = (addend != 0) & addend.isfinite() & (a.float() * b.float() != 0)
    return list(zip(*(each[kept].tolist() for each in (addend, a, b)), strict=True))


@pytest.mark.parametrize("dtype", DTYPES)
def test_both_roundings_are_those_of_exact_numbers(dtype: torch.dtype) -> None:
    triples = draws(dtype, 4000)
    assert len(triples) > 1000
    for addend, a, b in triples:
        total = mac(
            torch.tensor(addend), torch.tensor(a, dtype=dtype), torch.tensor(b, dtype=dtype)
        )
        assert total.item() == exact(addend, a, b), (addend, a, b)


@pytest.mark.parametrize("dtype", DTYPES)
def test_infinities_zeros_and_nan(dtype: torch.dtype) -> None:
    values = torch.tensor([0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan], dtype=dtype)
    for addend, a, b in itertools.product(values.float(), values, values):
        total = mac(addend, a, b)
        product = a.item() * b.item()  # an infinity times 0 is Python's NaN too
        want = addend.item() + product
        if math.isnan(want):
            assert total.view(torch.int32).item() == QUIET_NAN
        else:
            assert total.item() == want
            assert math.copysign(1, total.item()) == math.copysign(1, want)
