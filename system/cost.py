"""Cost: what a stage takes of time, of memory and of the comparing lanes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """A sum of them.

    Attributes:
        cycles: from the stage's begin to its end.
        read: beats read from memory.
        written: beats written.
        busy: cycles in which the DAU takes a chunk.
        useful: lane-cycles that compare a channel of a src with one of a dst.
    """

    cycles: float = 0.0
    read: int = 0
    written: int = 0
    busy: int = 0
    useful: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.cycles + other.cycles,
            self.read + other.read,
            self.written + other.written,
            self.busy + other.busy,
            self.useful + other.useful,
        )

    @property
    def beats(self) -> int:
        """Beats both ways."""
        return self.read + self.written
