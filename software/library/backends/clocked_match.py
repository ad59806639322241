"""A match that an engine made, and what it took."""

from dataclasses import dataclass

from golden.datm import Match


@dataclass(frozen=True)
class ClockedMatch(Match):
    """A match of an engine; everything else is what the golden model finds.

    Attributes:
        cycles: clock cycles from start to done.
        stage_cycles: of them, those of each stage, by name.
        busy_cycles: those in which the DAU took a chunk.
    """

    cycles: int
    stage_cycles: dict[str, int]
    busy_cycles: int


@dataclass(frozen=True)
class SimulatedMatch(ClockedMatch):
    """A match of a simulated engine, whose memory counts.

    Attributes:
        beats: beats that were read from memory, and written to it.
    """

    beats: tuple[int, int]
