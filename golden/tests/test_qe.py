from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from golden import blocks
from golden.qe import TokenFormat, channel_weights, quantize, round_to_format
from golden.tests import oracle

_DTYPE: dict[TokenFormat, torch.dtype] = {"fp16": torch.float16, "bf16": torch.bfloat16}


def from_bits(bits: list[list[int]], token_format: TokenFormat) -> Tensor:
    return torch.tensor(bits, dtype=torch.uint16).view(_DTYPE[token_format])


def assert_as_oracle(
    tokens: Tensor, token_format: TokenFormat, group: int = 1, weight_bits: int = 8
) -> None:
    result = quantize(tokens, token_format=token_format, scale_group=group, weight_bits=weight_bits)
    q, weight, step, order = oracle.quantize(
        tokens.double().tolist(), token_format == "bf16", group, weight_bits
    )
    assert (result.q.dtype, result.weight.dtype) == (torch.uint8, torch.int64)
    assert (result.step.dtype, result.order.dtype) == (torch.float32, torch.int64)
    assert result.order.tolist() == order
    assert result.q.tolist() == q
    assert result.weight.tolist() == weight
    # One rounding in float64 and one to float32, whose least subnormal is 2^-149.
    for got, want in zip(result.step.tolist(), step, strict=True):
        assert abs(Fraction(got) - want) <= want / 2**23 + Fraction(1, 2**149)


@st.composite
def finite_tokens(draw: st.DrawFn, token_format: TokenFormat) -> Tensor:
    """Any finite bit patterns: subnormals, both zeros and the largest values included."""
    infinity = 0x7C00 if token_format == "fp16" else 0x7F80
    magnitude = st.one_of(
        st.integers(0, infinity - 1),
        st.sampled_from([0, 1, 2, 0x3FF, 0x400, infinity - 1, 0x3C00]),
    )
    bits = st.builds(lambda m, sign: m | sign << 15, magnitude, st.integers(0, 1))
    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 9)))
    row = st.lists(bits, min_size=shape[1], max_size=shape[1])
    return from_bits(draw(st.lists(row, min_size=shape[0], max_size=shape[0])), token_format)


@given(finite_tokens("fp16"), st.integers(1, 10), st.sampled_from([1, 4, 8, 16]))
def test_fp16_is_the_formula_without_rounding(tokens: Tensor, group: int, bits: int) -> None:
    assert_as_oracle(tokens, "fp16", group, bits)


@given(finite_tokens("bf16"), st.integers(1, 10), st.sampled_from([1, 4, 8, 16]))
def test_bf16_is_the_formula_after_the_stated_rounding(
    tokens: Tensor, group: int, bits: int
) -> None:
    assert_as_oracle(tokens, "bf16", group, bits)


@pytest.mark.parametrize("token_format", ["fp16", "bf16"])
@pytest.mark.parametrize("group", [1, 8])
def test_more_rows_than_one_block(
    token_format: TokenFormat, group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "VALUES", 40)
    generator = torch.Generator().manual_seed(5)
    tokens = torch.randn(30, 10, generator=generator) * 10.0 ** torch.arange(-5, 5)
    assert_as_oracle(tokens.clamp(-6e4, 6e4).to(_DTYPE[token_format]), token_format, group)


@pytest.mark.parametrize("lowest", [0x0000, 0x03E8, 0x0400])
def test_half_way_values_go_up_and_neighbours_do_not(lowest: int) -> None:
    # 31 neighbouring values: the span is 30 units, odd ones lie half way between two levels.
    column = from_bits([[lowest + i] for i in range(31)], "fp16")
    assert quantize(column).q.flatten().tolist() == [(i + 1) // 2 for i in range(31)]


def test_half_way_values_of_negative_tokens_go_up_as_well() -> None:
    column = from_bits([[0x8000 + i] for i in range(31)], "fp16")
    assert quantize(column).q.flatten().tolist() == [15 - i // 2 for i in range(31)]


def test_full_range() -> None:
    tokens = torch.tensor([[-65504.0], [65504.0], [0.0], [-0.0]])
    result = quantize(tokens)
    assert result.q.flatten().tolist() == [0, 15, 8, 8]
    assert result.weight.tolist() == [255]
    assert result.step.tolist() == pytest.approx([131008 / 15])


def test_constant_channels_get_level_and_weight_zero() -> None:
    tokens = torch.tensor([[7.0, 0.0, 1.0], [7.0, -0.0, 2.0]])
    result = quantize(tokens)
    assert result.q.tolist() == [[0, 0, 0], [0, 0, 15]]
    assert result.weight.tolist() == [0, 0, 255]
    assert result.step.tolist() == pytest.approx([0, 0, 1 / 15])


@pytest.mark.parametrize("token_format", ["fp16", "bf16"])
def test_equal_tokens(token_format: TokenFormat) -> None:
    result = quantize(torch.full((3, 4), 2.5), token_format=token_format, scale_group=2)
    assert not result.q.any()
    assert not result.weight.any()
    assert not result.step.any()


def test_bf16_constant_channel_does_not_set_the_unit() -> None:
    # Were 2^100 to set the unit, the other channel's values would all round to 0.
    tokens = torch.tensor([[2.0**100, 1.0], [2.0**100, 2.0], [2.0**100, 1.5]])
    result = quantize(tokens, token_format="bf16")
    assert result.q.tolist() == [[0, 0], [0, 15], [0, 8]]


def test_bf16_channel_far_below_the_unit_becomes_constant() -> None:
    tokens = torch.tensor([[1.0, 2.0**-60], [2.0, 2.0**-50]])
    result = quantize(tokens, token_format="bf16")
    assert result.q[:, 1].tolist() == [0, 0]
    assert result.weight.tolist() == [255, 0]


def test_bf16_rounds_toward_zero_on_both_sides() -> None:
    # E = 0, so the unit is 2^-39; 1.5 units round to 1 and -1.5 to -1: a span of 2, not 3 or 4.
    unit = 2.0**-39
    tokens = torch.tensor([[1.0, 1.5 * unit], [0.0, -1.5 * unit], [0.0, 0.5 * unit]])
    result = quantize(tokens, token_format="bf16")
    assert result.q[:, 1].tolist() == [15, 0, 8]
    assert result.step[1].item() == pytest.approx(2 * unit / 15, rel=1e-6, abs=0)


def test_groups_are_sorted_by_span_with_ties_in_channel_order() -> None:
    high = torch.tensor([1.0, 4.0, 2.0, 4.0, 1.0])
    result = quantize(torch.stack([torch.zeros(5), high]), scale_group=2)
    assert result.order.tolist() == [1, 3, 2, 0, 4]
    assert result.weight.tolist() == [255, 255, 64, 64, 16]  # 255/4 and 255/16, to nearest
    assert result.q[1].tolist() == [15, 15, 15, 8, 15]  # channel 0 spans half its group's step
    assert (result.step * 15).tolist() == pytest.approx([4, 4, 2, 2, 1])


def test_many_equal_spans_stay_in_channel_order() -> None:
    high = torch.arange(1000) % 3 + 1.0
    order = quantize(torch.stack([torch.zeros(1000), high]), scale_group=16).order.tolist()
    assert order == sorted(range(1000), key=lambda c: (-(c % 3), c))


@given(st.lists(st.integers(0, 2**41 - 1), min_size=1, max_size=20), st.integers(1, 16))
def test_weight_lies_within_one_of_the_squared_ratio(spans: list[int], bits: int) -> None:
    weight = channel_weights(torch.tensor(spans), bits).tolist()
    largest, full = max(spans), 2**bits - 1
    for w, span in zip(weight, spans, strict=True):
        exact = full * Fraction(span, largest) ** 2 if largest else 0
        # Design: within 1 at 8 bits. Spans of 16 bits keep at least 15 bits of the ratio.
        assert abs(w - exact) <= max(1, Fraction(full, 2**13))
        assert 0 <= w <= full


@pytest.mark.parametrize("bits", [8, 15, 16, 17, 41])
def test_weight_sees_the_upper_16_bits_of_the_largest_span(bits: int) -> None:
    generator = torch.Generator().manual_seed(bits)
    spans = torch.randint(0, 1 << bits, (300,), generator=generator)
    spans[0] = (1 << bits) - 1 - (1 << bits - 6)
    r, m = spans.tolist(), int(spans.max())
    while m >= 1 << 16:
        r, m = [x // 2 for x in r], m // 2
    want = [round(Fraction(65535 * x * x, m * m) + Fraction(1, 1 << 80)) for x in r]
    assert channel_weights(spans, 16).tolist() == want


def test_float32_is_rounded_to_nearest_even() -> None:
    ulp = 2.0**-10
    column = [1.0, 1 + ulp / 2, 1 + 3 * ulp / 2, 1 + ulp / 2 + 2.0**-20, 65519.9, 2.0**-25, 3e-8]
    tokens = torch.tensor(column)[:, None]
    rounded = round_to_format(tokens, "fp16")
    assert rounded.flatten().tolist() == [1, 1, 1 + 2 * ulp, 1 + ulp, 65504, 0, 2.0**-24]
    assert torch.equal(quantize(tokens).q, quantize(rounded).q)
    values = np.random.default_rng(1).normal(size=(500, 1)).astype(np.float32) * 100
    want = values.astype(np.float16)
    assert np.array_equal(round_to_format(torch.from_numpy(values), "fp16").numpy(), want)


def test_the_two_formats_differ() -> None:
    tokens = torch.linspace(1, 2, 100)[:, None]
    assert not torch.equal(quantize(tokens).q, quantize(tokens, token_format="bf16").q)


@pytest.mark.parametrize("value", [65520.0, -65520.0, 1e30])
def test_fp16_overflow_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"token 1, channel 0 is .*; it must lie within.* fp16\."):
        quantize(torch.tensor([[1.0], [value]]))
    with pytest.raises(ValueError, match="bf16"):
        quantize(torch.tensor([[1.0], [3.4e38]]), token_format="bf16")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_non_finite_values_are_refused(value: float, dtype: torch.dtype) -> None:
    tokens = torch.ones(50, 40, dtype=dtype)
    tokens[30, 17] = value
    with pytest.raises(ValueError, match=r"token 30, channel 17 is .*; every value must be fin"):
        quantize(tokens)


def test_bad_arguments_are_refused() -> None:
    tokens = torch.zeros(2, 2)
    with pytest.raises(ValueError, match="scale_group is 0"):
        quantize(tokens, scale_group=0)
    with pytest.raises(ValueError, match="weight_bits is 17"):
        quantize(tokens, weight_bits=17)
    with pytest.raises(ValueError, match="token_format is 'fp8'"):
        quantize(tokens, token_format="fp8")  # type: ignore[arg-type]


def test_input_is_left_alone() -> None:
    tokens = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    before = tokens.clone()
    quantize(tokens, scale_group=2)
    assert torch.equal(tokens, before)


def test_a_group_of_more_channels_than_there_are_holds_all() -> None:
    tokens = torch.tensor([[0.0, 1, 7], [3, 5, -2], [1, 1, 4]])
    expected = quantize(tokens, scale_group=3)
    for group in (4, 2**63, 10**30):
        found = quantize(tokens, scale_group=group)
        for name in ("q", "weight", "step", "order"):
            assert torch.equal(getattr(found, name), getattr(expected, name)), name
