"""A src tile of a pairing's pass: from the search for its src to the last comparison."""

from collections import deque
from dataclasses import dataclass
from math import inf

from system.engine_shape import JobShape, divide_up
from system.memory import Memory

_REQUESTS = 8
"""Requests of rows and of the dst list that are under way at once."""
_MOST_TILES = 8
"""Tiles of short rows that the ring of dst rows may hold."""
_FETCH = 2
"""Cycles from a token to the request for its row."""
_LISTED = 2
"""Cycles of a word of the dst list through its queue."""
_COMPLETE = 2
"""Cycles from a dst tile's last word to its first comparison."""
_SIMULATED = 96
"""Dst tiles that are followed one by one; the others take what the later half of these takes."""


def skew_width(lanes: int, most: int) -> int:
    """Chunks of a row that are written at once: a power of two that divides the lanes."""
    return min(lanes & -lanes, most)


@dataclass(frozen=True)
class SrcTile:
    """How a src tile of ``count`` src meets a list of ``slots``.

    The rule, cycle by cycle but for what stalls a single beat:

    * An entry is examined a cycle, ``spacing`` of them for each src that is wanted; what the read
      queue holds at once, later ones as fast as its credits let them come, the first from cycle
      ``entries_from`` on.
    * Requests of the dst list (a beat each), of dst rows and of src rows share a port, in this
      order of precedence; `_REQUESTS` are under way at once, and what they ask for comes back in
      their order: a row takes as many cycles as it has beats, as the writing of its chunks takes,
      or as memory's bursts allow, whichever is most.
    * The list is read from the first src on, as far ahead as its queue has room; a dst tile's rows
      are asked for when the ring has room for the tile, that is when the one so many tiles before
      it has been compared.
    * A dst tile is compared when all its rows and all src rows are there: max(chunks,
      `pass_cycles`) cycles for each group of Q src.
    """

    job: JobShape
    memory: Memory
    slots: int
    count: int
    spacing: float = 1.0
    entries_from: float = 0.0

    @property
    def groups(self) -> int:
        """Groups of Q src that it fills, at least in part."""
        return divide_up(self.count, self.job.engine.src_lanes)

    @property
    def dst_tiles(self) -> int:
        """Tiles of P dst."""
        return divide_up(self.slots, self.job.engine.dst_lanes)

    @property
    def compare_cycles(self) -> int:
        """Cycles of a dst tile."""
        return self.groups * max(self.job.chunks, pass_cycles(self.job))

    @property
    def ring_tiles(self) -> int:
        """Dst tiles that the ring holds."""
        engine = self.job.engine
        width = skew_width(engine.dst_lanes, engine.chunks_per_beat)
        stride = divide_up(self.job.chunks, width) * width
        return min(_MOST_TILES, 2 * engine.max_chunks // stride)

    def entry_cycle(self, place: float) -> float:
        """When the entry that is so many behind the tile's first is examined."""
        engine = self.job.engine
        per_beat = engine.bus_bytes // 16
        rate = min(1.0, per_beat * self.memory.credited(engine))
        held = engine.fifo_beats * per_beat
        return self.entries_from + min(place, held) + max(0.0, place - held) / rate

    def row_cycles(self, lanes: int, most: int) -> float:
        """Cycles of a row on its way into the banks of so many lanes."""
        parts = divide_up(self.job.chunks, skew_width(lanes, most))
        return max(parts, self.memory.row_cycles(self.job.engine, self.job.row_beats))

    def cycles(self) -> float:
        """From the search's begin to the last comparison."""
        engine = self.job.engine
        whole_banks = engine.channel_lanes % 16 == 0
        src_row = self.row_cycles(engine.src_lanes, engine.chunks_per_beat if whole_banks else 1)
        dst_row = self.row_cycles(engine.dst_lanes, engine.chunks_per_beat)
        port = _Port(self.memory)
        walk = _DstWalk(self, min(self.dst_tiles, _SIMULATED), dst_row)
        found, loaded = -1.0, inf
        src = 0
        entered: deque[float] = deque([-inf] * _FETCH, _FETCH)
        src_at = self._found(0, found, entered)
        walk.begin(src_at + 1)
        while src < self.count or not walk.asked_all:
            ready = (walk.list_ready, walk.row_ready, src_at + _FETCH if src < self.count else inf)
            client, at, back = port.ask(ready, (walk.list_words, dst_row, src_row))
            if client == 0:
                walk.list_asked(back)
            elif client == 1:
                walk.row_asked(at, back, loaded)
            else:
                src, found = src + 1, src_at
                entered.append(at)
                src_at = self._found(src, found, entered)
                if src == self.count:
                    loaded = back + 1
                    walk.compare_up_to(loaded)
        return walk.end(self.dst_tiles)

    def _found(self, src: int, before: float, entered: deque[float]) -> float:
        return max(self.entry_cycle((src + 0.5) * self.spacing), before + 1, entered[0])


def pass_cycles(job: JobShape) -> int:
    """Least cycles of Q src with P dst."""
    return max(merge_cycles(job), dau_latency(job) + 2)


def merge_cycles(job: JobShape) -> int:
    """Cycles in which the distances of Q src are merged with what was found before."""
    engine = job.engine
    return engine.src_lanes + (engine.dst_lanes - 1).bit_length() + 3


def dau_latency(job: JobShape) -> int:
    """Cycles from a tile's last chunk to its distances."""
    return 3 if job.engine.shared_scale else 4


class _Port:
    """The read port of rows: so many requests under way, answered in their order."""

    def __init__(self, memory: Memory):
        self._answer = memory.answer
        self._backs: deque[float] = deque([-inf] * _REQUESTS, _REQUESTS)
        self._asked = -inf

    def ask(
        self, ready: tuple[float, ...], cycles: tuple[float, ...]
    ) -> tuple[int, float, float]:
        """Which client's request is next, when it is made, and when its last word is there."""
        at = max(self._asked + 1, self._backs[0] + 1, min(ready))
        client = next(number for number, each in enumerate(ready) if each <= at)
        back = max(at + self._answer, self._backs[-1] + 1) + cycles[client] - 1
        self._asked = at
        self._backs.append(back)
        return client, at, back


class _DstWalk:
    """The dst list and the dst tiles of a src tile, as far as they are followed."""

    def __init__(self, tile: SrcTile, tiles: int, row_cycles: float):
        engine = tile.job.engine
        self._lanes, self._per_beat = engine.dst_lanes, engine.records_per_beat
        self._tiles, self._ring = tiles, tile.ring_tiles
        self._slots = min(tile.slots, tiles * engine.dst_lanes)
        self._depth = 2 * max(self._per_beat, self._lanes)
        self._compare = tile.compare_cycles
        self._start = inf
        self._listed: list[float] = []
        self._taken: list[float] = []
        self._entered: deque[float] = deque([-inf] * _FETCH, _FETCH)
        self._landed: list[float] = []
        self._ends: list[float] = []

    def begin(self, at: float) -> None:
        self._start = at

    @property
    def asked_all(self) -> bool:
        return len(self._taken) == self._slots

    @property
    def list_words(self) -> int:
        return min(self._per_beat, self._slots - len(self._listed))

    @property
    def list_ready(self) -> float:
        if len(self._listed) >= self._slots:
            return inf
        freed = len(self._listed) + self._per_beat - self._depth
        if freed <= 0:
            return self._start
        return self._taken[freed - 1] + 1 if freed <= len(self._taken) else inf

    def list_asked(self, back: float) -> None:
        words = self.list_words
        self._listed += [back - words + 1 + word + _LISTED for word in range(words)]

    @property
    def row_ready(self) -> float:
        return self._take_at() + _FETCH

    def _take_at(self) -> float:
        word = len(self._taken)
        if word >= len(self._listed):
            return inf
        at = max(self._listed[word], self._entered[0])
        tile, lane = divmod(word, self._lanes)
        if lane == 0 and tile >= self._ring:
            before = tile - self._ring
            at = max(at, self._ends[before] + 2) if before < len(self._ends) else inf
        return max(at, self._taken[-1] + 1) if self._taken else at

    def row_asked(self, at: float, back: float, loaded: float) -> None:
        self._taken.append(self._take_at())
        self._entered.append(at)
        if len(self._taken) % self._lanes == 0 or len(self._taken) == self._slots:
            self._landed.append(back)
            if loaded < inf:
                self.compare_up_to(loaded)

    def compare_up_to(self, loaded: float) -> None:
        """Compare the tiles that have been asked for."""
        for landed in self._landed[len(self._ends) :]:
            begun = max(loaded + 1, landed + _COMPLETE, self._ends[-1] + 1 if self._ends else 0)
            self._ends.append(begun + self._compare - 1)

    def end(self, tiles: int) -> float:
        """The end of the last of so many tiles, those beyond the followed ones at their pace."""
        ends = self._ends
        if tiles == len(ends):
            return ends[-1]
        half = len(ends) // 2
        return ends[-1] + (tiles - len(ends)) * (ends[-1] - ends[half - 1]) / (len(ends) - half)
