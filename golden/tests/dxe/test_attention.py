import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from golden.dxe.attention import attention


def drawn(tokens: int, channels: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(tokens)
    return tuple(torch.randn(3, tokens, channels, generator=draw).to(dtype).unbind())  # type: ignore[return-value]


@pytest.mark.parametrize(("dtype", "digits"), [(torch.float16, 11), (torch.bfloat16, 8)])
@pytest.mark.parametrize("tokens", [1, 64, 100, 333])
def test_it_is_attention(tokens: int, dtype: torch.dtype, digits: int) -> None:
    """Rounded weights are within half a unit, and so is what is rounded at the end."""
    queries, keys, values = drawn(tokens, 64, dtype)
    found = attention(queries, keys, values).double()
    exact = scaled_dot_product_attention(queries.double(), keys.double(), values.double())
    assert (found - exact).abs().max() <= 2.0**-digits * 2 * values.abs().max()


def test_zeros_that_fill_up_a_tile_change_nothing() -> None:
    """A head of 5 channels is one of 8 with zeros, but for the scale."""
    queries, keys, values = drawn(40, 5, torch.float16)
    wider = [torch.nn.functional.pad(each, (0, 3)) for each in (queries, keys, values)]
    found = attention(wider[0], wider[1], wider[2], columns=16)
    assert (found[:, 5:] == 0).all()
    exact = scaled_dot_product_attention(
        queries.double() * math.sqrt(5 / 8), keys.double(), values.double()
    )
    assert (found[:, :5].double() - exact).abs().max() < 0.005


def test_a_row_does_not_depend_on_the_others() -> None:
    queries, keys, values = drawn(90, 16, torch.float16)
    whole = attention(queries, keys, values, columns=32)
    alone = attention(queries[7:8], keys, values, columns=32)
    assert torch.equal(whole[7:8], alone)
