"""Match options: what DATM starts from and when it stops, with the project's one set of defaults.

Source: docs/definition.md, 'Init' and 'Convergence'. Loads without torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from golden.convergence import epsilon_to_q16
from golden.scalars import integer, number

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
        epsilon: least relative change of L that goes on, at least 0 and below 1; 0 goes on until no
            slot moves. The engine and the golden model take it as `epsilon_q16`.
        max_iterations: most pairings, at least 1; 1 pairs with the initial dst and refines nothing,
            which is 'random dst' matching.

    Raises:
        ValueError: a value out of its range. ``init`` is checked where the tokens are known.
    """

    seed: int = 0
    init: "Sequence[int] | Tensor | None" = None
    epsilon: float = 0.001
    max_iterations: int = 20

    def __post_init__(self) -> None:
        for name, convert in (("seed", integer), ("max_iterations", integer), ("epsilon", number)):
            object.__setattr__(self, name, convert(name, getattr(self, name)))
        check_seed(self.seed)
        epsilon_to_q16(self.epsilon)
        if self.max_iterations < 1:
            raise ValueError(f"max_iterations is {self.max_iterations}; it must be at least 1.")

    @property
    def epsilon_q16(self) -> int:
        """Epsilon in Q0.16, as the convergence test takes it."""
        return epsilon_to_q16(self.epsilon)
