"""What counts as an integer, a number, a flag."""

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from golden.datm import match
from golden.options import MatchOptions
from golden.scalars import flag, integer, integers, number


@pytest.mark.parametrize(
    ("convert", "given", "expected"),
    [
        (integer, 3, 3),
        (integer, np.int64(3), 3),
        (integer, np.uint8(3), 3),
        (integer, -(2**63), -(2**63)),
        (integers, [np.int32(1), 2], (1, 2)),
        (integers, range(3), (0, 1, 2)),
        (integers, np.arange(2), (0, 1)),
        (number, 0.5, 0.5),
        (number, np.float32(0.5), 0.5),
        (number, Fraction(1, 2), 0.5),
        (number, 2, 2),
        (flag, True, True),
        (flag, np.False_, False),
    ],
)
def test_what_means_the_same_is_taken(
    convert: Callable[[str, Any], Any], given: Any, expected: Any
) -> None:
    found = convert("size", given)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(  # ids, since pytest cannot write the largest number
    ("convert", "given", "rule"),
    [
        (integer, 3.0, "size is 3.0; it must be an integer."),
        (integer, True, "size is True; it must be an integer."),
        (integer, "3", "size is '3'; it must be an integer."),
        (integer, None, "size is None; it must be an integer."),
        (integer, 10**30, "size is an integer of 100 bits; it must have at most 64."),
        (integer, 10**5000, "size is an integer of 16610 bits; it must have at most 64."),
        (integers, 1, "size is 1; it must be a list of integers."),
        (integers, "12", "size is '12'; it must be a list of integers."),
        (integers, [0, 1.5], "an entry of size is 1.5; it must be an integer."),
        (number, "0.38", "size is '0.38'; it must be a number."),
        (number, True, "size is True; it must be a number."),
        (number, Fraction(10**400), "it must lie within float64."),
        (integers, {1: 2}, "size is {1: 2}; it must be a list of integers."),
        (number, 1j, "size is 1j; it must be a number."),
        (flag, "no", "size is 'no'; it must be True or False."),
        (flag, 1, "size is 1; it must be True or False."),
    ],
    ids=range(16),
)
def test_what_does_not_is_refused(
    convert: Callable[[str, Any], Any], given: Any, rule: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(rule)):
        convert("size", given)


def test_options_and_sizes_take_numpys_numbers_and_refuse_strings() -> None:
    tokens = torch.randn((20, 4), generator=torch.Generator().manual_seed(0))
    options = MatchOptions(seed=np.int64(3), epsilon=np.float32(0.5), max_iterations=np.int8(2))  # type: ignore[arg-type]
    assert type(options.seed) is int
    assert torch.equal(
        match(tokens, np.int64(5), 4, options).src,  # type: ignore[arg-type]
        match(tokens, 5, 4, MatchOptions(seed=3, epsilon=0.5, max_iterations=2)).src,
    )
    with pytest.raises(ValueError, match="seed is '3'; it must be an integer"):
        MatchOptions(seed="3")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="epsilon is 'small'; it must be a number"):
        MatchOptions(epsilon="small")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="num_dst is '5'; it must be an integer"):
        match(tokens, "5", 4)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="init lists a; its tokens must be integers"):
        match(tokens, 1, 4, MatchOptions(init=["a"]))  # type: ignore[list-item]
    with pytest.raises(ValueError, match=r"tokens are a ndarray; they must be a torch\.Tensor"):
        match(tokens.numpy(), 5, 4)  # type: ignore[arg-type]
