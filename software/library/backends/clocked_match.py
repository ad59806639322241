"""A match that an engine made, and what it took."""

from dataclasses import dataclass

from golden.datm import Match


@dataclass(frozen=True)
class ClockedMatch(Match):
    """A match of an engine; everything else is what the golden model finds.

    Attributes:
        cycles: clock cycles from start to done.
        stage_cycles: of them, those of each stage, by name.
    """

    cycles: int
    stage_cycles: dict[str, int]
