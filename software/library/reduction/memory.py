"""What a full step keeps of its results, beside index pairs, for the reduced steps after it.

Source: docs/definition.md, 'Restore with residual' and 'Rivals'. Shapes as in `golden.residual`.
"""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from golden.ambient import in_plain_mode
from golden.gather import put_rows, take_rows
from golden.residual import Residual
from software.library.config import OrbisConfig


class Memory(Protocol):
    """What is kept of the results of one layer's src tokens."""

    @property
    def bytes(self) -> int:
        """What it takes beside index lists."""

    def restore_(self, rows: Tensor) -> Tensor:
        """Write every src's row into results [.., N, C] that hold those of the kept tokens."""


@dataclass(frozen=True)
class CachedRows:
    """The src rows of the full step as they were.

    Attributes:
        src: int64 [.., K].
        rows: [.., K, C], in the model's own dtype.
    """

    src: Tensor
    rows: Tensor

    @property
    def bytes(self) -> int:
        """See `Memory`."""
        return self.rows.numel() * self.rows.element_size()

    def restore_(self, rows: Tensor) -> Tensor:
        """See `Memory`."""
        put_rows(rows, self.src, self.rows.to(rows.dtype))
        return rows


@in_plain_mode
def remember(rows: Tensor, src: Tensor, dst: Tensor, config: OrbisConfig) -> Memory | None:
    """What the config keeps of a full step's results [.., N, C]; None where it copies alone.

    Raises:
        ValueError: a result that is infinite or not a number, where it is to be coded.
    """
    if config.restore == "residual":
        return Residual.of(rows, src, dst, config.residual_options)
    return CachedRows(src, take_rows(rows, src)) if config.restore == "cache" else None
