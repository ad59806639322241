"""Top-k: sorts a list of records that lies in memory."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.handshake import Handshake
from hw.bus.client import ReadClient, WriteClient
from hw.config import EngineConfig
from hw.sort.chunk_sorter import ChunkSorter
from hw.sort.merge import Merger
from hw.sort.record_reader import RecordReader, length_bits
from hw.sort.record_source import RecordSource
from hw.sort.run_walk import beat_bits

_PLAN = 7
"""Cycles to start a job and to end its chunk phase, and `_PASS` to start and to end a pass."""
_PASS = 5


class TopK(wiring.Component):
    """Sorts 64-bit records, or finds the ``keep`` least (docs/definition.md, 'Top-k').

    Records that lie at ``records_address``, or are made of the entries at ``entries_address``,
    become chunks of `EngineConfig.chunk_records` (the sorter's width, at least a beat), which go
    through the bitonic network, the last one padded with all-ones; then passes of 2-way merging
    double the runs, to and fro between records and scratch such that the last pass ends at
    ``records_address``. Runs start a power of two of beats apart, and are cut to the beats that
    hold ``keep`` records.

    Ports:
        ``run`` In `Handshake`: done comes after memory has acknowledged every write. From start to
        done: ``source`` In `RecordSource`; ``count`` In (records, or entries, at most the larger of
        max_tokens and max_channels), ``keep`` In (how many of the sorted list are needed; ``count``
        sorts all); ``records_address``, ``scratch_address`` and ``entries_address`` In. Records and
        scratch each have room for ``count`` records rounded up to whole chunks. With count or keep
        0 nothing is touched.
        ``read_a``, ``read_b`` Out `ReadClient`; ``write`` Out `WriteClient`.

    The last beat of the result ends with the records that follow, or with all-ones behind
    ``count``; the rest of both regions holds leftovers. A record of all-ones may be only padding,
    or a dst where pairs are wanted.

    Cycles: see `cycles`.
    """

    class _State(enum.Enum):
        IDLE = 0
        PLAN = 1
        COUNT_PASSES = 2
        SORT = 3
        NEXT_PASS = 4
        MERGE = 5

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "run": In(Handshake()),
                "source": In(RecordSource),
                "count": In(length_bits(config)),
                "keep": In(length_bits(config)),
                "records_address": In(config.address_bits),
                "scratch_address": In(config.address_bits),
                "entries_address": In(config.address_bits),
                "read_a": Out(ReadClient(config)),
                "read_b": Out(ReadClient(config)),
                "write": Out(WriteClient(config)),
            }
        )

    def cycles(self, source: RecordSource, count: int, keep: int) -> tuple[int, int]:
        """Least and most cycles from start to done, but for the memory's latency.

        The chunks take a cycle a beat of records, or two where entries are read; then each pass
        takes a record a cycle. To drop the rest of two runs that were cut takes up to a cycle a
        beat, depending on the records; if count = keep is in whole chunks nothing is cut, and both
        figures are the same. Not counted: for each phase (the chunks, and each pass) once the
        memory's read latency and once its time to acknowledge a write, and its stalls.
        """
        if count == 0 or keep == 0:
            return 1, 1
        per_beat = self._config.records_per_beat
        chunk = self._config.chunk_records
        chunks = -(-count // chunk)
        beats, kept = chunks * chunk // per_beat, -(-keep // per_beat)
        stride = chunk // per_beat
        least = _PLAN + int(chunks - 1).bit_length()
        least += RecordReader(self._config).cycles(source, count)
        least += ChunkSorter(self._config).drain_cycles(chunks)
        dropped = 0
        while stride < beats:
            least += _PASS
            for offset in range(0, beats, 2 * stride):
                a = min(stride, kept, beats - offset)
                b = min(stride, kept, max(beats - offset - stride, 0))
                out = min(a + b, kept)
                least += out * per_beat + Merger.pair_overhead
                dropped += a + b - out
            stride *= 2
        return least, least + dropped

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        chunk = config.chunk_records
        chunk_beats = chunk // config.records_per_beat
        m.submodules.chunks = sorter = ChunkSorter(config)
        m.submodules.merger = merger = Merger(config)

        state = Signal(self._State)
        with m.If(state == self._State.SORT):
            wiring.connect(m, wiring.flipped(self.read_a), sorter.read)
            wiring.connect(m, wiring.flipped(self.write), sorter.write)
        with m.Else():
            wiring.connect(m, wiring.flipped(self.read_a), merger.read_a)
            wiring.connect(m, wiring.flipped(self.write), merger.write)
        wiring.connect(m, wiring.flipped(self.read_b), merger.read_b)

        chunks = Signal.like(self.count)
        beats = Signal(beat_bits(config))
        keep = Signal.like(beats)
        stride = Signal.like(beats)
        # The chunk phase writes where an even number of passes brings the list home from.
        in_scratch = Signal()
        here = Mux(in_scratch, self.scratch_address, self.records_address)
        there = Mux(in_scratch, self.records_address, self.scratch_address)
        words = self.source == RecordSource.WORDS
        m.d.comb += [
            sorter.source.eq(self.source),
            sorter.count.eq(self.count),
            sorter.beats.eq(beats),
            sorter.read_address.eq(Mux(words, self.records_address, self.entries_address)),
            sorter.write_address.eq(here),
            merger.beats.eq(beats),
            merger.stride.eq(stride),
            merger.keep.eq(keep),
            merger.read_address.eq(here),
            merger.write_address.eq(there),
        ]

        m.d.sync += self.run.done.eq(0)
        with m.Switch(state):
            with m.Case(self._State.IDLE), m.If(self.run.start):
                m.d.sync += [
                    chunks.eq((self.count + chunk - 1) >> exact_log2(chunk)),
                    keep.eq(
                        (self.keep + config.records_per_beat - 1)
                        >> exact_log2(config.records_per_beat)
                    ),
                ]
                with m.If((self.count == 0) | (self.keep == 0)):
                    m.d.sync += self.run.done.eq(1)
                with m.Else():
                    m.d.sync += state.eq(self._State.PLAN)
            with m.Case(self._State.PLAN):
                m.d.sync += [
                    beats.eq(chunks << exact_log2(chunk_beats)),
                    chunks.eq(chunks - 1),
                    stride.eq(chunk_beats),
                    in_scratch.eq(0),
                    state.eq(self._State.COUNT_PASSES),
                ]
            with m.Case(self._State.COUNT_PASSES):
                m.d.sync += chunks.eq(chunks >> 1)
                with m.If(chunks == 0):
                    m.d.comb += sorter.run.start.eq(1)
                    m.d.sync += state.eq(self._State.SORT)
                with m.Else():
                    m.d.sync += in_scratch.eq(~in_scratch)
            with m.Case(self._State.SORT), m.If(sorter.run.done):
                m.d.sync += state.eq(self._State.NEXT_PASS)
            with m.Case(self._State.NEXT_PASS):
                with m.If(stride < beats):
                    m.d.comb += merger.run.start.eq(1)
                    m.d.sync += state.eq(self._State.MERGE)
                with m.Else():
                    m.d.sync += [self.run.done.eq(1), state.eq(self._State.IDLE)]
            with m.Case(self._State.MERGE), m.If(merger.run.done):
                m.d.sync += [
                    stride.eq(stride << 1),
                    in_scratch.eq(~in_scratch),
                    state.eq(self._State.NEXT_PASS),
                ]
        return m
