"""Memory as an engine meets it: an answer after some cycles, a beat a cycle, so many bursts."""

from dataclasses import dataclass
from math import gcd

from system.engine_shape import EngineShape

REQUEST = 2
"""Cycles that a word which is a burst of its own keeps the next one waiting, besides its own."""
ANSWER = 6
"""Cycles from a client's request to its first beat, besides the memory's latency."""
LANDING = 5
"""Cycles from a client's last beat to its leave to go on, besides the memory's latency."""
_CREDITED = 3
"""Cycles of a place in a read queue besides its burst's and the memory's."""
_WAITING_WRITES = 3
"""Words of one beat that wait on their way to the bus."""


@dataclass(frozen=True)
class Memory:
    """What answers a request after ``latency`` cycles, ``outstanding`` bursts at a time each way.

    Raises:
        ValueError: a latency below 1, or no burst.
    """

    latency: int = 100
    outstanding: int = 16

    def __post_init__(self) -> None:
        if self.latency < 1:
            raise ValueError(f"latency is {self.latency}; it must be at least 1 cycle.")
        if self.outstanding < 1:
            raise ValueError(f"outstanding is {self.outstanding}; it must be at least 1 burst.")

    @property
    def answer(self) -> int:
        """Cycles from a client's request to its first beat."""
        return self.latency + ANSWER

    @property
    def landing(self) -> int:
        """Cycles from a client's last beat until memory has acknowledged it."""
        return self.latency + LANDING

    @property
    def word_cycles(self) -> float:
        """Least cycles of a word that is written with a burst of its own, sustained."""
        return max(1.0, (self.latency + 2) / self.outstanding)

    def words_written(self, words: int, pace: float) -> float:
        """Cycles in which so many words leave, one every ``pace`` cycles at best.

        Each is a burst of its own, and waits until the one ``outstanding`` before it has been
        acknowledged; `_WAITING_WRITES` more are taken meanwhile.
        """
        rounds = max(0, words - _WAITING_WRITES - 1) // self.outstanding
        late = self.latency + 3 - self.outstanding * pace
        return words * pace + max(0.0, late) * rounds

    def bursts(self, shape: EngineShape, beats: int) -> float:
        """Bursts of a row of so many beats, rows lying one behind the other: the mean."""
        step = gcd(beats, shape.burst_beats)
        return (beats + shape.burst_beats - step) / shape.burst_beats

    def row_cycles(self, shape: EngineShape, beats: int) -> float:
        """Least cycles of a row, sustained: a beat each, or what its bursts allow."""
        bursts = self.bursts(shape, beats)
        return max(beats, bursts * (self.latency + beats / bursts) / self.outstanding)

    def credited(self, shape: EngineShape, clients: int = 1) -> float:
        """Beats a cycle for clients whose queues must have room before a burst is asked for.

        A place of the fifo_beats is in use for the memory's latency, the burst and `_CREDITED`.
        """
        held = self.latency + shape.burst_beats + _CREDITED
        queue = shape.fifo_beats / held
        bursts = self.outstanding * shape.burst_beats / (self.latency + shape.burst_beats)
        return min(1.0, clients * queue, bursts)


DEFAULT_MEMORY = Memory()
"""What the simulated engine has."""
