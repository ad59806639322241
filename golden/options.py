"""Options of a match and of a restore, with the project's one set of defaults.

Source: docs/definition.md, 'Init', 'Spread', 'Convergence' and 'Restore with residual'. Loads
without torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from golden.convergence import epsilon_to_q16
from golden.scalars import flag, integer, number

if TYPE_CHECKING:
    from torch import Tensor


def check_seed(seed: int) -> None:
    """Refuse a seed that is not an unsigned 32-bit number."""
    if not 0 <= seed < 1 << 32:
        raise ValueError(f"seed is {seed}; it must lie in 0..4294967295.")


@dataclass(frozen=True, eq=False)
class MatchOptions:
    """How a match starts and when it stops, checked when made.

    Attributes:
        seed: of the initial dst list, 0..2^32 - 1; without effect where init is given.
        init: M distinct token indices in slot order, instead of a random choice.
        spread: spread the first dst over the tokens (`golden.spread`) instead of drawing them all;
            without effect where init is given.
        epsilon: least relative change of L that goes on, at least 0 and below 1; 0 goes on until no
            slot moves. The engine and the golden model take it as `epsilon_q16`.
        max_iterations: most pairings, at least 1; 1 pairs with the initial dst and refines nothing,
            which is 'random dst' matching.

    Raises:
        ValueError: a value out of its range. ``init`` is checked where the tokens are known.
    """

    seed: int = 0
    init: "Sequence[int] | Tensor | None" = None
    spread: bool = False
    epsilon: float = 0.001
    max_iterations: int = 20

    def __post_init__(self) -> None:
        for name, convert in (
            ("seed", integer), ("spread", flag), ("max_iterations", integer), ("epsilon", number),
        ):  # fmt: skip
            object.__setattr__(self, name, convert(name, getattr(self, name)))
        check_seed(self.seed)
        epsilon_to_q16(self.epsilon)
        if self.max_iterations < 1:
            raise ValueError(f"max_iterations is {self.max_iterations}; it must be at least 1.")

    @property
    def epsilon_q16(self) -> int:
        """Epsilon in Q0.16, as the convergence test takes it."""
        return epsilon_to_q16(self.epsilon)


BLOCK = 32
"""Neighbouring channels of a residual that share a scale."""
CODE_BITS = (2, 4)
"""Bits that the code of a residual's channel may have."""


@dataclass(frozen=True)
class ResidualOptions:
    """How the residual of a pair is coded, and what share of its dst's row a src takes.

    Attributes:
        bits: of a channel's code, 2 or 4.
        gain: what a dst's row counts in its src's, in sixteenths, 0 to 1. With 0 a src's own row is
            kept; with 1 all of the dst's change is taken over.

    Raises:
        ValueError: a value out of its range.
    """

    bits: int = 4
    gain: float = 0.9375

    def __post_init__(self) -> None:
        object.__setattr__(self, "bits", integer("bits", self.bits))
        object.__setattr__(self, "gain", number("gain", self.gain))
        if self.bits not in CODE_BITS:
            raise ValueError(f"bits is {self.bits}; it must be 2 or 4.")
        if not 0 <= self.gain <= 1 or self.gain * 16 % 1:
            raise ValueError(f"gain is {self.gain}; it must be a number of sixteenths, 0 to 1.")

    def coded_bytes(self, pairs: int, channels: int) -> int:
        """What the codes, scales and exponents of K pairs of C channels take."""
        a_pair = -(-channels * self.bits // 8) + -(-channels // BLOCK)
        return pairs * a_pair + 2 * channels
