"""What comes through the read port of rows in a pairing: the dst list, dst rows and src rows."""

from collections import deque
from collections.abc import Callable
from math import inf

from system.engine_shape import EngineShape, divide_up
from system.memory import Memory

FETCH = 2
"""Cycles from a token to the request for its row."""
REQUESTS = 8
"""Requests of rows and of the dst list that are under way at once."""
_LISTED = 2
"""Cycles of a word of the dst list through its queue."""
_COMPLETE = 2
"""Cycles from a dst tile's last word to its first chunk."""
_FOLLOWED = 96
"""Dst tiles that are followed one by one; the others take what the later half of these takes."""


class RowPort:
    """The read port of rows: so many requests under way, answered in their order."""

    def __init__(self, memory: Memory, row_pace: float):
        """Memory's bursts let a row end every ``row_pace`` cycles at best."""
        self._answer, self._pace = memory.answer, row_pace
        self._backs: deque[float] = deque([-inf] * REQUESTS, REQUESTS)
        self._asked = -inf

    def ask(self, ready: tuple[float, ...], cycles: tuple[int, ...]) -> tuple[int, float, float]:
        """Which client's request is next, when it is made, and when its last word is there.

        ``ready`` tells when each client, the list first, asks; ``cycles``, how long it takes then.
        """
        at = max(self._asked + 1, self._backs[0] + 1, min(ready))
        client = next(number for number, each in enumerate(ready) if each <= at)
        taken = cycles[client]
        pace = max(taken, self._pace) if client else taken
        back = max(at + self._answer + taken - 1, self._backs[-1] + pace)
        self._asked = at
        self._backs.append(back)
        return client, at, back


class DstWalk:
    """The dst list and the dst tiles of a src tile, as far as they are followed."""

    def __init__(
        self,
        engine: EngineShape,
        slots: int,
        ring_tiles: int,
        compared: Callable[[int], tuple[float, float]],
    ):
        """A list of ``slots``; the ring has room for ``ring_tiles`` dst tiles.

        ``compared`` tells the cycles and the chunks of a tile that was waited for so long.
        """
        self._lanes, self._per_beat = engine.dst_lanes, engine.records_per_beat
        self._ring, self._compared = ring_tiles, compared
        self._tiles = divide_up(slots, engine.dst_lanes)
        self._slots = min(slots, _FOLLOWED * engine.dst_lanes)
        self._depth = 2 * max(self._per_beat, self._lanes)
        self._chunks: list[float] = []
        self._start = inf
        self._listed: list[float] = []
        self._taken: list[float] = []
        self._entered: list[float] = []
        self._landed: list[float] = []
        self._ends: list[float] = []

    def begin(self, at: float) -> None:
        """The list is asked for from now on."""
        self._start = at

    @property
    def asked_all(self) -> bool:
        """Whether all rows have been asked for."""
        return len(self._entered) == self._slots

    @property
    def list_words(self) -> int:
        """Words of the list's next beat."""
        return min(self._per_beat, self._slots - len(self._listed))

    @property
    def list_ready(self) -> float:
        """When the next beat of the list is asked for: when there is room for its words."""
        if len(self._listed) >= self._slots:
            return inf
        freed = len(self._listed) + self._per_beat - self._depth
        if freed <= 0:
            return self._start
        return self._taken[freed - 1] + 1 if freed <= len(self._taken) else inf

    @property
    def row_ready(self) -> float:
        """When the next row is asked for."""
        asked = len(self._entered)
        return self._taken[asked] + FETCH if asked < len(self._taken) else inf

    def list_asked(self, back: float) -> None:
        """The list's next beat will have been cut into words at that time."""
        words = self.list_words
        self._listed += [back - words + 1 + word + _LISTED for word in range(words)]
        self._take()

    def row_asked(self, at: float, back: float, loaded: float) -> None:
        """The next row has been asked for and will be there at that time."""
        self._entered.append(at)
        if len(self._entered) % self._lanes == 0 or len(self._entered) == self._slots:
            self._landed.append(back)
            if loaded < inf:
                self.compare_up_to(loaded)
        self._take()

    def _take(self) -> None:
        """Take words to be fetched: 2 ahead of what is asked for, tiles where there is room."""
        while len(self._taken) < min(len(self._listed), len(self._entered) + FETCH):
            word = len(self._taken)
            at = self._listed[word]
            if word >= FETCH:
                at = max(at, self._taken[-1] + 1, self._entered[word - FETCH])
            tile, lane = divmod(word, self._lanes)
            if lane == 0 and tile >= self._ring:
                if tile - self._ring >= len(self._ends):
                    break
                at = max(at, self._ends[tile - self._ring] + 2)
            self._taken.append(at)

    def compare_up_to(self, loaded: float) -> None:
        """Compare the tiles that have been asked for."""
        for landed in self._landed[len(self._ends) :]:
            begun = max(loaded + 1, landed + _COMPLETE)
            free = self._ends[-1] + 1 if self._ends else begun
            cycles, chunks = self._compared(max(0, round(begun - free)))
            begun = max(begun, free)
            self._ends.append(begun + cycles - 1)
            self._chunks.append(chunks)
        self._take()

    def end(self) -> tuple[float, float]:
        """The end of all tiles and their chunks; those not followed are as the later ones."""
        ends, followed = self._ends, len(self._ends)
        chunks, half = sum(self._chunks), followed // 2
        if self._tiles == followed:
            return ends[-1], chunks
        more = (self._tiles - followed) / (followed - half)
        return (
            ends[-1] + more * (ends[-1] - ends[half - 1]),
            chunks + more * sum(self._chunks[half:]),
        )
