"""What token reduction did so far."""

import threading
from dataclasses import dataclass, fields

_ADDING = threading.Lock()
"""One for all: threads add rarely."""


@dataclass
class Usage:
    """Totals since patching. Rows are video-token rows, summed over layers and batch.

    Attributes:
        full_calls: full calls of a transformer; guidance in two passes makes two a step.
        reduced_calls: reduced ones.
        rows_full: rows of the full calls.
        rows_reduced: rows of the reduced calls, dropped ones included.
        rows_dropped: those that were dropped.
        matchings: layers and videos that were matched.
        attention_seconds: in the patched layers, matching apart; of the host, so that on a GPU
            kernels that are still running are not counted.
        matching_seconds: likewise; coding what is kept is a part of it.
        kept_bytes: the most that a run kept from step to step, index pairs included.
        result_bytes: what the results of all video rows of those layers took, which is what
            attention caching keeps.
    """

    full_calls: int = 0
    reduced_calls: int = 0
    rows_full: int = 0
    rows_reduced: int = 0
    rows_dropped: int = 0
    matchings: int = 0
    attention_seconds: float = 0.0
    matching_seconds: float = 0.0
    kept_bytes: int = 0
    result_bytes: int = 0

    def add(self, **amounts: float) -> None:
        """Add to the totals of those names; threads may do so at once."""
        with _ADDING:
            for name, amount in amounts.items():
                setattr(self, name, getattr(self, name) + amount)

    def raise_to(self, **amounts: int) -> None:
        """Raise the amounts of those names to what is given, where that is more."""
        with _ADDING:
            for name, amount in amounts.items():
                setattr(self, name, max(getattr(self, name), amount))

    @property
    def reduction(self) -> float:
        """Share of rows dropped over all calls."""
        rows = self.rows_full + self.rows_reduced
        return self.rows_dropped / rows if rows else 0.0

    @property
    def reduction_rc(self) -> float:
        """Share of rows dropped over the reduced calls alone."""
        return self.rows_dropped / self.rows_reduced if self.rows_reduced else 0.0

    @property
    def kept_share(self) -> float:
        """What was kept, of what attention caching keeps; 0 before a step has matched."""
        return self.kept_bytes / self.result_bytes if self.result_bytes else 0.0

    def __add__(self, other: "Usage") -> "Usage":
        """Totals of both."""
        sums = {each.name: getattr(self, each.name) + getattr(other, each.name)
                for each in fields(self)}  # fmt: skip
        return Usage(**sums)
