"""A src tile of a pairing's pass: from the search for its src to the last comparison."""

from collections import deque
from dataclasses import dataclass
from math import inf

from system.engine_shape import JobShape, divide_up
from system.memory import Memory
from system.stages.comparison import Comparison

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
    * A dst tile is compared when all its rows and all src rows are there, group of Q src by group,
      in the mean cycles of a `Comparison` of which ``needed`` tells.
    """

    job: JobShape
    memory: Memory
    slots: int
    count: int
    needed: tuple[int, ...] = ()
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

    def walk(self) -> tuple[float, float]:
        """Cycles from the search's begin to the last comparison, and chunks that are compared."""
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
        self._comparison, self._needed, self._groups = Comparison(tile.job), tile.needed, tile.groups
        self._chunks: list[float] = []
        self._durations: dict[int, tuple[float, float]] = {}
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
        return self._taken[asked] + _FETCH if asked < len(self._taken) else inf

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
        while len(self._taken) < min(len(self._listed), len(self._entered) + _FETCH):
            word = len(self._taken)
            at = self._listed[word]
            if word >= _FETCH:
                at = max(at, self._taken[-1] + 1, self._entered[word - _FETCH])
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

    def _compared(self, waited: int) -> tuple[float, float]:
        """Cycles and chunks of a tile that came so long after the one before was compared."""
        if waited not in self._durations:
            of, needed, more = self._comparison, self._needed, self._groups - 1
            self._durations[waited] = (
                of.cycles(needed, waited) + more * of.cycles(needed),
                of.taken(needed, waited) + more * of.taken(needed),
            )
        return self._durations[waited]

    def end(self, tiles: int) -> tuple[float, float]:
        """The end of so many tiles and their chunks, those beyond the followed ones as the later."""
        ends, followed = self._ends, len(self._ends)
        chunks, half = sum(self._chunks), followed // 2
        if tiles == followed:
            return ends[-1], chunks
        more = (tiles - followed) / (followed - half)
        return (
            ends[-1] + more * (ends[-1] - ends[half - 1]),
            chunks + more * sum(self._chunks[half:]),
        )
