import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from golden.dxe.float_function import exp2, reciprocal, sqrt
from golden.dxe.mac import QUIET_NAN
from tests.tree import ROOT

BOUND = 0.8
"""Units in the last place, as golden/dxe/float_function.py states."""
CASES = [
    (exp2, torch.exp2, (0.5, 1), "2^x"),
    (reciprocal, torch.reciprocal, (1,), "1/x"),
    (sqrt, torch.sqrt, (1, 2), "square root"),
]
"""Each with what is exact, where the octaves begin that hold its segments, and its name."""
Function = Callable[[Tensor], Tensor]


def units_off(found: Tensor, exact: Tensor) -> Tensor:
    """How far float32 are from float64, in units in the last place of the latter's float32."""
    _, exponent = torch.frexp(exact)
    return (found.double() - exact).abs() / torch.ldexp(
        torch.ones_like(exact), exponent.clamp(min=-125) - 24
    )


def every(dtype: torch.dtype) -> Tensor:
    return torch.arange(-(1 << 15), 1 << 15).to(torch.int16).view(dtype).float()


def drawn() -> Tensor:
    """Any float32, and powers of two near which segments and octaves begin."""
    draw = torch.Generator().manual_seed(0)
    anything = torch.randint(-(1 << 31), 1 << 31, (1_000_000,), generator=draw).to(torch.int32)
    moderate = 40 * torch.randn(1_000_000, generator=draw)
    powers = torch.exp2(torch.arange(-149.0, 128.0))
    steps = (powers.view(torch.int32)[:, None] + torch.arange(-2, 3)).clamp(min=1)
    return torch.cat(
        [
            anything.view(torch.float32),
            moderate,
            steps.to(torch.int32).view(torch.float32).flatten(),
        ]
    )


def worst(function: Function, exact: Function, values: Tensor) -> float:
    """The largest error where float32 does not overflow; where it does, an infinity is due."""
    want, found = exact(values.double()), function(values)
    # The parabolas' error decides overflow nowhere here.
    fits = want.abs() < torch.finfo(torch.float32).max
    assert torch.equal(found[~fits].isnan(), want[~fits].isnan())
    assert torch.equal(found[~fits].nan_to_num(7), want[~fits].float().nan_to_num(7))
    return units_off(found[fits], want[fits]).max().item()


@pytest.mark.parametrize(("function", "exact", "octaves", "name"), CASES)
def test_error_is_within_the_bound(
    function: Function, exact: Function, octaves: tuple[float, ...], name: str
) -> None:
    """Of any float, and of all 2^23 in octaves in which every segment lies; the page tells it."""
    errors = [
        worst(function, exact, values)
        for values in (every(torch.float16), every(torch.bfloat16), drawn())
    ]
    for octave in octaves:
        values = octave * (1 + torch.arange(1 << 23).double() / 2**23).float()
        errors.append(worst(function, exact, values))
    assert max(errors) <= BOUND
    assert f"| {name} | {max(errors):.2f} |" in (ROOT / "docs" / "dxe.md").read_text()


def test_powers_of_two_are_exact() -> None:
    exponents = torch.arange(-149, 128)
    powers = torch.exp2(exponents.double()).float()
    assert torch.equal(exp2(exponents.float()), powers)
    inverse = (exponents >= -127) & (exponents <= 126)
    assert torch.equal(reciprocal(powers[inverse]), powers.double().reciprocal().float()[inverse])
    assert torch.equal(sqrt(powers[1::2]), powers[1::2].double().sqrt().float())


def test_special_values() -> None:
    values = torch.tensor([0.0, -0.0, math.inf, -math.inf, math.nan, -1.0, -1e-45])
    due = {
        exp2: [1, 1, math.inf, 0.0, math.nan, 0.5, 1],
        reciprocal: [math.inf, -math.inf, 0.0, -0.0, math.nan, -1, -math.inf],
        sqrt: [0.0, -0.0, math.inf, math.nan, math.nan, math.nan, math.nan],
    }
    nan = torch.tensor(QUIET_NAN, dtype=torch.int32).view(torch.float32)
    for function, want in due.items():
        wanted = torch.tensor([nan.item() if math.isnan(each) else each for each in want])
        wanted = torch.where(wanted.isnan(), nan, wanted)
        assert torch.equal(function(values).view(torch.int32), wanted.view(torch.int32))
    beyond = torch.tensor([256.0, 1e30, 128.0, -256.0, -1e30, -150.5, -149.5])
    assert exp2(beyond).tolist() == [math.inf] * 3 + [0.0, 0.0, 0.0, 2.0**-149]
