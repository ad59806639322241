from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from golden import residual
from golden.options import BLOCK, CODE_BITS, ResidualOptions
from golden.residual import Residual
from golden.tests.slow_residual import slow_values


def rows_of(seed: int, tokens: int, channels: int) -> Tensor:
    """Rows whose channels differ much in size; some are 0, some the same in every token."""
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.exp2(8 * torch.rand(channels, generator=generator) - 6)
    rows = torch.randn(tokens, channels, generator=generator) * sizes
    rows[:, ::7] = 0
    rows[:, 3::11] = 1.5
    return rows


def some_pairs(seed: int, tokens: int, pairs: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(tokens, generator=generator)
    picks = torch.randint(tokens - pairs, (pairs,), generator=generator)
    return order[:pairs], order[pairs + picks]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**20), st.sampled_from(CODE_BITS), st.integers(0, 16), st.integers(1, 70),
    st.sampled_from([torch.float16, torch.bfloat16, torch.float32]),
)  # fmt: skip
def test_values_are_those_of_the_definition(
    seed: int, bits: int, sixteenths: int, channels: int, dtype: torch.dtype
) -> None:
    rows = rows_of(seed, 9, channels).to(dtype)
    src, dst = some_pairs(seed, 9, 5)
    options = ResidualOptions(bits, sixteenths / 16)
    found = Residual.of(rows, src, dst, options)
    wanted = slow_values(rows.tolist(), src.tolist(), dst.tolist(), bits, Fraction(sixteenths, 16))
    assert [[Fraction(v) for v in row] for row in found.values().tolist()] == wanted
    restored = found.restore_(rows.double())
    narrow = found.restore_(rows.clone())
    for row, s, d in zip(wanted, src.tolist(), dst.tolist(), strict=True):
        stand_in = [Fraction(v) * Fraction(sixteenths, 16) for v in rows[d].tolist()]
        sums = [float(a + b) for a, b in zip(stand_in, row, strict=True)]
        assert restored[s].tolist() == sums
        # Rounded to float32 once, and then to the rows' own dtype.
        nearest = torch.tensor(sums, dtype=torch.float32).to(dtype)
        largest = float(rows.float().abs().max())
        torch.testing.assert_close(narrow[s], nearest, rtol=0, atol=2**-22 * largest)


@pytest.mark.parametrize("bits", CODE_BITS)
def test_no_value_is_further_off_than_half_a_code(bits: int) -> None:
    rows = rows_of(1, 300, 96).half()
    src, dst = some_pairs(1, 300, 200)
    found = Residual.of(rows, src, dst, ResidualOptions(bits, 1.0))
    exact = rows[src].double() - rows[dst].double()
    half = (found.scales.double() + 1).repeat_interleave(BLOCK, -1) / 256 / 2**bits
    half = half * torch.exp2(found.exponents.double())
    assert ((found.values().double() - exact).abs() <= half).all()
    assert not found.values()[:, exact.abs().amax(0) == 0].any()


def test_what_it_takes_is_what_the_options_say() -> None:
    for bits in CODE_BITS:
        for channels in (1, 31, 32, 33, 96):
            rows = rows_of(0, 12, channels)
            found = Residual.of(rows, *some_pairs(0, 12, 7), ResidualOptions(bits))
            assert found.bytes == ResidualOptions(bits).coded_bytes(7, channels)


def test_leading_places_and_parts_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = torch.stack([rows_of(seed, 40, 80) for seed in range(6)]).view(2, 3, 40, 80)
    lists = [some_pairs(seed, 40, 25) for seed in range(6)]
    src, dst = (torch.stack(each).view(2, 3, 25) for each in zip(*lists, strict=True))
    whole = Residual.of(rows, src, dst)
    restored = whole.restore_(rows.clone())
    monkeypatch.setattr(residual, "_AT_ONCE", 700)
    parts = Residual.of(rows, src, dst)
    for name in ("codes", "scales", "exponents"):
        assert torch.equal(getattr(whole, name), getattr(parts, name))
    assert torch.equal(parts.restore_(rows.clone()), restored)
    for one in range(2):
        for two in range(3):
            alone = Residual.of(rows[one, two], src[one, two], dst[one, two])
            assert torch.equal(alone.values(), whole.values()[one, two])
            assert torch.equal(alone.restore_(rows[one, two].clone()), restored[one, two])


def test_a_src_follows_its_dst_by_the_gain() -> None:
    rows = rows_of(2, 30, 64)
    src, dst = some_pairs(2, 30, 20)
    later = rows.clone()
    later[dst] += 2.0
    found = Residual.of(rows, src, dst, ResidualOptions(gain=0.75))
    change = found.restore_(later.clone())[src] - found.restore_(rows.clone())[src]
    torch.testing.assert_close(change, torch.full_like(change, 1.5))
    kept = [token for token in range(30) if token not in src.tolist()]
    assert torch.equal(found.restore_(later.clone())[kept], later[kept])


def test_what_cannot_be_coded_is_refused() -> None:
    rows = rows_of(0, 4, 8)
    none = torch.empty(0, dtype=torch.int64)
    with pytest.raises(ValueError, match="src lists 0 tokens; there must be a pair"):
        Residual.of(rows, none, none)
    for src, dst, message in (
        ([1, 2], [3], r"src has shape \[2\] and dst \[1\] for rows of shape \[4, 8\]"),
        ([4], [0], r"src reaches from 4 to 4; it must lie in 0\.\.3"),
        ([0], [-1], r"dst reaches from -1 to -1; it must lie in 0\.\.3"),
        ([0, 0], [1, 2], "src lists a token twice"),
        ([0, 1], [1, 2], "a dst is itself a src"),
    ):
        with pytest.raises(ValueError, match=message):
            Residual.of(rows, torch.tensor(src), torch.tensor(dst))
    rows[1, 2] = float("nan")
    with pytest.raises(ValueError, match="infinite or not a number; it must be finite"):
        Residual.of(rows, torch.tensor([1]), torch.tensor([0]))
    with pytest.raises(ValueError, match=r"bits is 3; it must be 2 or 4\."):
        ResidualOptions(3)
    for gain in (0.7, 1.0625, -0.0625, float("nan")):
        with pytest.raises(ValueError, match=r"gain is .*; it must be a number of sixteenths"):
            ResidualOptions(gain=gain)
