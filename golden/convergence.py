"""Convergence test: stop when the total pair loss hardly changes any more.

Source: docs/definition.md, 'Convergence'; epsilon is an unsigned Q0.16 fraction.
"""


def epsilon_to_q16(epsilon: float) -> int:
    """Convert a fraction to Q0.16, to nearest, half to even: 0..65535.

    Raises:
        ValueError: epsilon outside [0, 1), or so near 1 that it rounds to 1.
    """
    # Scaling by a power of two is exact, so round() sees epsilon itself.
    q16 = round(epsilon * 65536) if 0 <= epsilon < 1 else -1
    if not 0 <= q16 <= 0xFFFF:
        raise ValueError(f"epsilon is {epsilon}; it must lie in 0..65535/65536.")
    return q16


def converged(previous: int | float, current: int | float, epsilon_q16: int) -> bool:
    """Compare |previous - current| with epsilon times previous, exactly for integers.

    Args:
        previous: L of the pairing before.
        current: L of this pairing.
        epsilon_q16: 0..65535; 0 never converges.
    """
    if not 0 <= epsilon_q16 <= 0xFFFF:
        raise ValueError(f"epsilon_q16 is {epsilon_q16}; it must lie in 0..65535 (Q0.16).")
    return abs(previous - current) * 65536 < epsilon_q16 * previous
