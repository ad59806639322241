"""A src tile of a pairing's pass: from the search for its src to the last comparison."""

from collections import deque
from dataclasses import dataclass
from functools import cache
from math import inf

from system.engine_shape import JobShape, divide_up
from system.memory import Memory
from system.stages.comparison import Comparison
from system.stages.dst_walk import FETCH, REQUESTS, DstWalk, RowPort

_MOST_TILES = 8
"""Tiles of short rows that the ring of dst rows may hold."""


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
      order of precedence; 8 are under way at once, and what they ask for comes back in
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

    def row_cycles(self, lanes: int, most: int) -> int:
        """Cycles of a row on its way into the banks of so many lanes."""
        parts = divide_up(self.job.chunks, skew_width(lanes, most))
        return max(parts, self.job.row_beats)

    def walk(self) -> tuple[float, float]:
        """Cycles from the search's begin to the last comparison, and chunks that are compared."""
        engine = self.job.engine
        whole_banks = engine.channel_lanes % 16 == 0
        src_row = self.row_cycles(engine.src_lanes, engine.chunks_per_beat if whole_banks else 1)
        dst_row = self.row_cycles(engine.dst_lanes, engine.chunks_per_beat)
        port = RowPort(self.memory, self._row_pace)
        walk = DstWalk(engine, self.slots, self.ring_tiles, cache(self._compared))
        found, loaded = -1.0, inf
        src = 0
        entered: deque[float] = deque([-inf] * FETCH, FETCH)
        src_at = self._found(0, found, entered)
        walk.begin(src_at + 1)
        while src < self.count or not walk.asked_all:
            ready = (walk.list_ready, walk.row_ready, src_at + FETCH if src < self.count else inf)
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
        return walk.end()

    @property
    def _row_pace(self) -> float:
        """Least cycles of a row, sustained, as far as memory is concerned."""
        engine, beats = self.job.engine, self.job.row_beats
        if REQUESTS * self.memory.bursts(engine, beats) <= self.memory.outstanding:
            return beats
        return self.memory.row_cycles(engine, beats)

    def _compared(self, waited: int) -> tuple[float, float]:
        """Cycles and chunks of a dst tile that was waited for so long."""
        comparison, more = Comparison(self.job), self.groups - 1
        first, others = (
            (comparison.cycles(self.needed, each), comparison.taken(self.needed, each))
            for each in (waited, 0)
        )
        return first[0] + more * others[0], first[1] + more * others[1]

    def _found(self, src: int, before: float, entered: deque[float]) -> float:
        return max(self.entry_cycle((src + 0.5) * self.spacing), before + 1, entered[0])
