from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.convergence import converged, epsilon_to_q16


@given(st.integers(0, 2**60), st.integers(0, 2**60), st.integers(0, 65535))
def test_exact_for_large_integers(previous: int, current: int, q16: int) -> None:
    exact = abs(previous - current) < Fraction(q16, 65536) * previous
    assert converged(previous, current, q16) == exact


@pytest.mark.parametrize("previous", [65536, 65536 * (2**45 + 1)])
def test_the_boundary_itself_goes_on(previous: int) -> None:
    change = 66 * previous // 65536
    assert not converged(previous, previous - change, 66)
    assert converged(previous, previous - change + 1, 66)
    assert not converged(previous, previous + change, 66)
    assert converged(previous, previous + change - 1, 66)


def test_epsilon_zero_and_loss_zero_never_converge() -> None:
    assert not converged(100, 100, 0)
    assert not converged(0, 0, 65535)


def test_floats_follow_the_same_rule() -> None:
    assert converged(2.0, 1.9, 6554)
    assert not converged(2.0, 1.9, 3276)


@pytest.mark.parametrize(
    ("epsilon", "q16"),
    [
        (0, 0),
        (0.001, 66),
        (0.5, 32768),
        (0.5 / 65536, 0),
        (1.5 / 65536, 2),
        (2.5 / 65536, 2),
        (65535.49 / 65536, 65535),
    ],
)
def test_epsilon_is_rounded_half_to_even(epsilon: float, q16: int) -> None:
    assert epsilon_to_q16(epsilon) == q16


@pytest.mark.parametrize("epsilon", [-1e-9, 1.0, 2.0, 65535.5 / 65536, float("nan"), float("inf")])
def test_bad_epsilon_is_refused(epsilon: float) -> None:
    with pytest.raises(ValueError, match=r"epsilon is .*; it must lie in 0\.\.65535/65536\."):
        epsilon_to_q16(epsilon)


@pytest.mark.parametrize("q16", [-1, 65536])
def test_bad_q16_is_refused(q16: int) -> None:
    with pytest.raises(ValueError, match=rf"epsilon_q16 is {q16}; it must lie in 0\.\.65535"):
        converged(1, 1, q16)
