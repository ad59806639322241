"""What a residual restores, slowly and plainly: the definition, to hold the real one against."""

from fractions import Fraction
from math import floor

from golden.options import BLOCK


def slow_values(
    rows: list[list[float]], src: list[int], dst: list[int], bits: int, gain: Fraction
) -> list[list[Fraction]]:
    """The definition in exact fractions, a number at a time."""
    levels, channels = 2 ** (bits - 1), len(rows[0])
    differences = [
        [Fraction(a) - gain * Fraction(b) for a, b in zip(rows[s], rows[d], strict=True)]
        for s, d in zip(src, dst, strict=True)
    ]
    exponents: list[int | None] = []
    for channel in range(channels):
        most = max(abs(row[channel]) for row in differences)
        exponents.append(
            next(e for e in range(-100, 100) if most < Fraction(2) ** e) if most else None
        )
    found = []
    for row in differences:
        restored = []
        for channel, exponent in enumerate(exponents):
            if exponent is None:
                restored.append(Fraction(0))
                continue
            first = channel // BLOCK * BLOCK
            shares = [
                abs(row[other]) / Fraction(2) ** each
                for other, each in enumerate(exponents)
                if first <= other < first + BLOCK and each is not None
            ]
            scale = floor(256 * max(shares))
            share = row[channel] / Fraction(2) ** exponent
            code = floor(256 * levels * share / (scale + 1))
            assert -levels <= code < levels
            assert 0 <= scale < 256
            restored.append(
                Fraction(2 * code + 1) * (scale + 1) * Fraction(2) ** (exponent - 9) / levels
            )
        found.append(restored)
    return found
