"""Src loader: finds the src tokens that a pass compares, and brings tiles of rows on chip."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.unpacker import Unpacker
from hw.bus.client import ReadClient
from hw.bus.row_fetch import RowFetch
from hw.config import ENTRY_BITS, EngineConfig
from hw.job import Job, divide_up
from hw.pair.src_rows import known_src, row_part, src_place, src_skew
from hw.words import entry


class SrcLoader(wiring.Component):
    """Loads tiles of up to R * Q src, in token order, lane after lane and group after group.

    Ports:
        ``job`` In, constant from ``start`` on. ``start`` In pulse: a pass over all tokens begins;
        not before the last tile of the one before.
        ``moved`` In, constant meanwhile: the pass takes the src that are not ``full``, else those
        that are, or all src where ``every_pair`` In is 1.
        ``next`` In pulse, after ``start``: load the next tile; not while one is loaded. ``found``
        Out pulse: it has a src. ``loaded`` Out pulse: all its rows have left ``part``. ``count``
        Out, from then to the next ``next``: its src, 0 after the last tile; ``groups`` Out: the
        groups that they fill, at least in part.
        ``known`` Out, always-ready stream of `known_src`, one for each src of the tile, before
        ``loaded``.
        ``part`` Out, always-ready stream of `row_part`, not before the cycle after ``next``.
        ``read_entries``, ``read_rows`` Out `ReadClient`.

    An entry is examined a cycle, and a row takes ceil(chunks / W) cycles (`src_skew`); rows are
    requested ahead.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "job": In(Job(config)),
                "start": In(1),
                "moved": In(1),
                "every_pair": In(1),
                "next": In(1),
                "found": Out(1),
                "loaded": Out(1),
                "count": Out(range(config.resident_src + 1)),
                "groups": Out(range(config.src_groups + 1)),
                "known": Out(stream.Signature(known_src(config), always_ready=True)),
                "part": Out(stream.Signature(row_part(config), always_ready=True)),
                "read_entries": Out(ReadClient(config)),
                "read_rows": Out(ReadClient(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        wanted = self._scan(m)
        self._load(m, wanted)
        return m

    def _scan(self, m: Module) -> Signal:
        """Examine entries while the tile has room; 1 once all its rows have been asked for."""
        config, job = self._config, self.job
        m.submodules.unpacker = unpacker = Unpacker(config.bus_bits, ENTRY_BITS, config.max_tokens)
        m.submodules.fetch = fetch = RowFetch(config)
        wiring.connect(m, wiring.flipped(self.read_entries.beat), unpacker.beat)
        wiring.connect(m, fetch.request, wiring.flipped(self.read_rows.request))
        request, word = self.read_entries.request, unpacker.word
        per_beat = config.bus_bits // ENTRY_BITS
        asking = Signal()
        m.d.comb += [
            unpacker.words.eq(job.tokens),
            request.valid.eq(asking),
            request.payload.address.eq(job.entries_address),
            request.payload.beats.eq(divide_up(job.tokens, per_beat)),
            fetch.address.eq(job.quantized_address),
            fetch.row_beats.eq(job.row_beats),
            fetch.token.payload.eq(word.payload.index),
        ]
        with m.If(self.start):
            m.d.sync += asking.eq(1)
        with m.Elif(request.ready):
            m.d.sync += asking.eq(0)

        seen = data.View(entry(), word.payload.data)
        scanning = Signal()
        exhausted = Signal()
        lane = Signal(range(max(2, config.src_lanes)))
        wants = Signal()
        take = Signal()
        known = self.known.payload
        m.d.comb += [
            wants.eq(~seen.is_dst & Mux(self.moved, ~seen.full, seen.full | self.every_pair)),
            fetch.token.valid.eq(scanning & word.valid & wants),
            word.ready.eq(scanning & (~wants | fetch.token.ready)),
            take.eq(fetch.token.valid & fetch.token.ready),
            self.known.valid.eq(take),
            known.index.eq(self.count),
            known.token.eq(word.payload.index),
            known.entry.eq(seen),
            self.found.eq(take & (self.count == 0)),
        ]
        with m.If(take):
            m.d.sync += [
                self.count.eq(self.count + 1),
                self.groups.eq(self.groups + (lane == 0)),
                lane.eq(Mux(lane == config.src_lanes - 1, 0, lane + 1)),
            ]
            with m.If(self.count == config.resident_src - 1):
                m.d.sync += scanning.eq(0)
        with m.If(word.valid & word.ready & word.payload.last):
            m.d.sync += [scanning.eq(0), exhausted.eq(1)]
        with m.If(self.next):
            m.d.sync += [scanning.eq(~exhausted), self.count.eq(0), self.groups.eq(0), lane.eq(0)]
        with m.If(self.start):
            m.d.sync += exhausted.eq(0)
        return scanning

    def _load(self, m: Module, scanning: Value) -> None:
        """Write the rows that come, and tell when the last of the tile is here."""
        config = self._config
        width = src_skew(config).width
        m.submodules.unpacker_rows = unpacker = Unpacker(
            config.bus_bits, config.chunk_bits * width, config.max_chunks // width
        )
        wiring.connect(m, wiring.flipped(self.read_rows.beat), unpacker.beat)
        word, part = unpacker.word, self.part.payload
        loading = Signal()
        rows = Signal.like(self.count)
        place = Signal(src_place(config))
        m.d.comb += [
            unpacker.words.eq((self.job.chunks + width - 1) >> exact_log2(width)),
            word.ready.eq(loading),
            self.part.valid.eq(word.valid & loading),
            part.place.eq(place),
            part.index.eq(word.payload.index),
            part.chunks.eq(word.payload.data),
            self.loaded.eq(loading & ~scanning & (rows == self.count)),
        ]
        with m.If(self.part.valid & word.payload.last):
            last = place.lane == config.src_lanes - 1
            m.d.sync += [
                rows.eq(rows + 1),
                place.lane.eq(Mux(last, 0, place.lane + 1)),
                place.group.eq(place.group + last),
            ]
        with m.If(self.loaded):
            m.d.sync += loading.eq(0)
        with m.If(self.next):
            m.d.sync += [loading.eq(1), rows.eq(0), place.eq(0)]
