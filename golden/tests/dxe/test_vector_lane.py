import math
from fractions import Fraction

import numpy as np
import torch

from golden.dxe.mac import QUIET_NAN
from golden.dxe.vector_lane import lane, maximum, shortened
from golden.tests.dxe.rounding import rounded, to_float32


def drawn(count: int) -> torch.Tensor:
    draw = torch.Generator().manual_seed(4)
    return torch.randn(3, count, generator=draw) * torch.exp2(
        torch.randint(-60, 60, (3, count), generator=draw)
    )


def test_product_and_sum_round_one_after_the_other() -> None:
    x, a, b = drawn(3000)
    found = lane(x, a, b)
    for place in range(3000):
        product = to_float32(Fraction(x[place].item()) * Fraction(a[place].item()))
        want = to_float32(Fraction(product) + Fraction(b[place].item()))
        assert found[place].item() == want
        assert lane(x[place], a[place], b[place], take_max=True).item() == max(
            product, b[place].item()
        )


def test_the_function_is_of_what_was_rounded() -> None:
    third = torch.tensor(1 / 3)
    product = (third * third).item()
    for function, exact in (("exp2", math.exp2), ("sqrt", math.sqrt)):
        found = lane(third, third, torch.tensor(0.0), function=function).item()
        assert abs(found - exact(product)) < 2.0**-23
    found = lane(third, third, torch.tensor(0.0), function="reciprocal").item()
    assert abs(found * product - 1) < 2.0**-22


def test_the_larger_of_zeros_and_nan() -> None:
    zero, nan = torch.tensor(0.0), torch.tensor(math.nan)
    for one, other, sign in ((zero, -zero, 1), (-zero, zero, 1), (-zero, -zero, -1)):
        assert math.copysign(1, maximum(one, other).item()) == sign
    for one, other in ((nan, zero), (-nan, zero), (zero, nan), (nan, torch.tensor(math.inf))):
        assert maximum(one, other).view(torch.int32).item() == QUIET_NAN


def test_short_floats_are_rounded_to_nearest_even() -> None:
    draw = torch.Generator().manual_seed(5)
    values = torch.randn(4000, generator=draw) * torch.exp2(
        torch.randint(-30, 12, (4000,), generator=draw)
    )
    halves = torch.arange(0x3C00, 0x4000).to(torch.int16).view(torch.float16).float()
    ties = torch.cat([values, halves * (1 + 2.0**-11), halves + 2.0**-11])
    found = shortened(ties, torch.float16)
    assert np.array_equal(found.numpy(), ties.numpy().astype(np.float16))
    for value, short in zip(ties.tolist(), shortened(ties, torch.bfloat16).tolist(), strict=True):
        assert short == rounded(Fraction(value), 7, -126, 127)
    nan = torch.tensor([math.nan, -math.nan])
    assert shortened(nan, torch.float16).view(torch.int16).tolist() == [0x7E00] * 2
    assert shortened(nan, torch.bfloat16).view(torch.int16).tolist() == [0x7FC0] * 2
