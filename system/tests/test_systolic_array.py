"""The array's cycles: those that the RTL declares, and what the page says of a model's layers."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.dxe import systolic_array as rtl
from system.models import MODELS
from system.systolic_array import SystolicArray
from tests.tree import ROOT

BLOCK = 448
MODEL = MODELS["cogvideox-5b"]
TOKENS = MODEL.video_tokens + MODEL.text_tokens
LINEAR = {
    "projection": (TOKENS, MODEL.width, MODEL.width),
    "into feed-forward": (TOKENS, MODEL.width, MODEL.feed_forward),
    "out of feed-forward": (TOKENS, MODEL.feed_forward, MODEL.width),
}
ATTENTION = {
    f"{part}, heads of {size}": product
    for size in (64, 128)
    for part, product in (
        ("scores", (TOKENS, size, TOKENS)), ("weighted sums", (TOKENS, TOKENS, size)),
    )
}  # fmt: skip


@pytest.mark.parametrize(("token_format", "product_latency"), [("fp16", 1), ("bf16", 3)])
@pytest.mark.parametrize("size", [(1, 1), (4, 4), (3, 8), (16, 2)])
def test_cycles_are_those_that_the_rtl_declares(
    size: tuple[int, int], token_format: str, product_latency: int
) -> None:
    """Of one tile and from one to the next; that the RTL keeps them its testbench shows."""
    declared = rtl.SystolicArray(*size, token_format)
    array = SystolicArray(*size, product_latency=product_latency)
    for activations in (1, 5, 100):
        for loads in size:
            assert array.tile_cycles(activations, loads) == declared.tile_cycles(activations, loads)
    first = size[0] - 1 + declared.load_to_swap
    last = declared.latency + (size[1] - 1) * declared.column_skew
    assert array.product_cycles(7, *size, block=7) == first + 7 + last


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 50))
def test_no_product_is_faster_than_its_work(m: int, k: int, n: int, block: int) -> None:
    array = SystolicArray(4, 8)
    assert 0 < array.utilisation(m, k, n, block) < 1
    assert array.product_cycles(m, k, n, block) >= array.product_cycles(m, k, n, m)


def test_the_linear_layers_keep_it_busy() -> None:
    array = SystolicArray()
    assert all(array.utilisation(*product, BLOCK) >= 0.95 for product in LINEAR.values())


def test_the_page_says_how_busy_it_is() -> None:
    page = (ROOT / "docs" / "dxe.md").read_text()
    array = SystolicArray()
    for name, product in (LINEAR | ATTENTION).items():
        (said,) = re.findall(rf"^\| {name} \|.* ([\d.]+) % \|$", page, re.MULTILINE)
        assert said == f"{array.utilisation(*product, BLOCK):.1%}"[:-1], name
    fewer = (array.utilisation(*LINEAR["projection"], block) for block in (256, 128))
    assert (
        "With 256 rows at a time it would be {:.0f} %, with 128 {:.0f} %".format(
            *(100 * each for each in fewer)
        )
        in page
    )
