"""Nothing depends on torch's ambient modes."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from golden.asymrnr import match_asymrnr
from golden.bsm import match_bsm
from golden.datm import match
from golden.options import MatchOptions
from golden.qe import quantize
from golden.reduce import Reduction

GRID = (3, 4, 5)


@contextmanager
def _default_dtype() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def _deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


MODES: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "inference": torch.inference_mode,
    "gradients": torch.enable_grad,
    "default device": lambda: torch.device("meta"),
    "default dtype": _default_dtype,
    "deterministic": _deterministic,
}


def everything(tokens: Tensor, heads: Tensor) -> list[Tensor]:
    """All that users call, on 60 tokens and on two heads of them, as tensors."""
    found: list[Any] = [
        match(tokens, 15, 20, MatchOptions(seed=3)),
        match(tokens, 15, 20, MatchOptions(seed=3), bits=None),
        match(tokens, 3, 20, MatchOptions(init=[4, 9, 2])),
        match_bsm(tokens, GRID, 20, generator=torch.Generator().manual_seed(1)),
        match_asymrnr(heads, GRID, 20, generator=torch.Generator().manual_seed(1)),
        quantize(tokens, scale_group=4),
    ]  # fmt: skip
    found.append(Reduction.of(60, found[0].src, found[0].dst, before=2))
    return [
        value
        for each in found
        for name in sorted({*vars(each), "copies"} if isinstance(each, Reduction) else vars(each))
        if isinstance(value := getattr(each, name), Tensor)
    ]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("mode", MODES)
def test_results_are_the_same_in_any_mode(mode: str, dtype: torch.dtype) -> None:
    tokens = torch.randn((60, 24), generator=torch.Generator().manual_seed(2)).to(dtype)
    heads = torch.stack([tokens, tokens.flip(0)])
    expected = everything(tokens, heads)
    with MODES[mode]():
        found = everything(tokens.clone() if mode == "inference" else tokens, heads)
    assert len(found) == len(expected) > 20
    for one, two in zip(found, expected, strict=True):
        assert one.dtype == two.dtype
        assert one.device.type == "cpu"
        assert torch.equal(one, two)


def test_what_was_matched_in_inference_mode_serves_a_gradient() -> None:
    tokens = torch.randn((60, 24), generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        found = match(tokens, 15, 20)
        rows = Reduction.of(60, found.src, found.dst)
    values = tokens.clone().requires_grad_(True)
    rows.restore(rows.reduce(values)).sum().backward()  # type: ignore[no-untyped-call]
    # A src gives nothing; a dst once for each token that takes it, itself included.
    expected = torch.ones(60)
    expected[found.src] = 0
    expected += torch.bincount(found.dst, minlength=60)
    assert values.grad is not None
    assert torch.equal(values.grad, expected[:, None].expand(60, 24))
