"""QE: the quantise stage, 16-bit token rows in memory to 4-bit rows and channel weights."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.beat_packer import BeatPacker
from hw.blocks.handshake import Handshake
from hw.blocks.lookup_mux import LookupMux
from hw.blocks.unpacker import Unpacker
from hw.bus.client import ReadClient, WriteClient
from hw.bus.row_requests import RowRequests
from hw.config import TOKEN_BEATS, VALUE_BITS, EngineConfig
from hw.job import Job
from hw.quantize.channel_scan import ChannelScan
from hw.quantize.channel_stats import ChannelStats
from hw.quantize.channel_weight import ChannelWeight
from hw.quantize.lanes import bounds_lookup, max_words, words_of
from hw.quantize.own_scales import OwnScales
from hw.quantize.quantize_pass import QuantizePass
from hw.quantize.shared_scales import SharedScales
from hw.quantize.tables import Tables
from hw.scratchpad import ScratchPort
from hw.words import chunk_weights


class QuantizationEngine(wiring.Component):
    """Statistics, scales and quantised rows of a job, one after another.

    Source: docs/definition.md, 'Quantise' and 'Shared scale'. `OwnScales` or `SharedScales` is in
    it, as the config's scale group says.

    Ports:
        ``run`` In `Handshake`, and ``job`` In, constant from start to done, when everything is in
        memory: ``tokens``, ``row_beats``, and the addresses of TOKENS, QUANTIZED and, where scales
        are shared, RECORDS.
        ``read`` Out `ReadClient`; ``write`` Out `WriteClient`; ``scratch`` Out `ScratchPort`, used
        from start to done as `Tables` says.
        ``weight`` Out, always-ready stream of `chunk_weights`: each chunk of the padded row once.
        ``sort`` Out `Handshake` and ``sort_count`` Out, only used where scales are shared: sort so
        many words at RECORDS ascending, in place; memory holds them at its start and at its done.
        ``nonfinite`` Out, until the next start: a NaN or an infinity was read. ``run.done`` then
        comes after the statistics, with nothing written.

    A job takes the sum of `cycles`, at most `overhead` more, and memory's answer five times (three
    times where scales are not shared): rows are asked for so far ahead that latency counts once
    for each walk over them.
    """

    overhead = 80
    """Cycles to load the weight unit, to make the first requests, and to fill the pipelines."""

    def __init__(self, config: EngineConfig):
        self._config = config
        self._shared = config.scale_group > 1
        super().__init__(
            {
                "run": In(Handshake()),
                "job": In(Job(config)),
                "read": Out(ReadClient(config)),
                "write": Out(WriteClient(config)),
                "scratch": Out(ScratchPort(config)),
                "weight": Out(stream.Signature(chunk_weights(config), always_ready=True)),
                "sort": Out(Handshake()),
                "sort_count": Out(range(config.max_channels + 1)),
                "nonfinite": Out(1),
            }
        )

    @staticmethod
    def cycles(config: EngineConfig, tokens: int, row_beats: int) -> dict[str, int]:
        """Cycles of each stage of a job, where memory never lets wait and sorting is free.

        ``statistics``: L channels a cycle. ``spans``: see `ChannelScan.cycles`. ``weights``: one
        serial computation a weight. ``quantize``: see `QuantizePass.row_cycles`.
        """
        channels = row_beats * config.levels_per_beat
        weights = channels // config.scale_group
        weight_cycles = max(ChannelWeight(config).latency + 1, config.scale_group + 1)
        return {
            "statistics": tokens * channels // config.quantize_lanes,
            "spans": ChannelScan.cycles(config, channels, measure=True),
            "weights": weights * weight_cycles,
            "quantize": tokens * QuantizePass.row_cycles(config, row_beats),
        }

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config, job = self._config, self.job
        scales: OwnScales | SharedScales
        m.submodules.stats = stats = ChannelStats(config)
        m.submodules.scales = scales = (SharedScales if self._shared else OwnScales)(config)
        m.submodules.quantize = quantize = QuantizePass(config)
        m.submodules.tables = tables = Tables(config)
        m.submodules.bounds_mux = bounds_mux = LookupMux(bounds_lookup(config), 3)
        m.submodules.unpacker = unpacker = Unpacker(
            config.bus_bits, VALUE_BITS * config.quantize_lanes, max_words(config)
        )
        m.submodules.packer = packer = BeatPacker(len(quantize.quantized.payload), config.bus_bits)
        max_rows = max(config.max_tokens, config.max_row_beats)
        record_beats = SharedScales.record_beats if self._shared else 0
        m.submodules.reads = reads = RowRequests(
            config, max_rows, max(config.max_token_row_beats, record_beats)
        )
        m.submodules.writes = writes = RowRequests(
            config, max_rows, max(config.max_row_beats, record_beats)
        )
        wiring.connect(m, reads.request, wiring.flipped(self.read.request))
        wiring.connect(m, writes.request, wiring.flipped(self.write.request))
        wiring.connect(m, scales.weight, wiring.flipped(self.weight))
        wiring.connect(m, tables.scratch, wiring.flipped(self.scratch))
        wiring.connect(m, bounds_mux.table, tables.bounds)
        for number, user in enumerate((stats, scales, quantize)):
            wiring.connect(m, user.bounds, bounds_mux.asker[number])
        landed = ~writes.busy & self.write.idle
        m.d.comb += [
            # The defaults are those of the token rows and the quantised rows.
            reads.address.eq(job.tokens_address),
            reads.rows.eq(job.tokens),
            reads.row_beats.eq(job.row_beats << exact_log2(TOKEN_BEATS)),
            writes.address.eq(job.quantized_address),
            writes.rows.eq(job.tokens),
            writes.row_beats.eq(job.row_beats),
            self.nonfinite.eq(stats.nonfinite),
            unpacker.words.eq(words_of(config, job.row_beats)),
            unpacker.beat.payload.eq(self.read.beat.payload),
            stats.rows.eq(job.tokens),
            scales.row_beats.eq(job.row_beats),
            quantize.exponent.eq(scales.exponent),
            self.write.beat.payload.data.eq(packer.beat.payload),
            self.write.beat.payload.strobe.eq(-1),
            self.write.beat.valid.eq(packer.beat.valid),
            packer.beat.ready.eq(self.write.beat.ready),
        ]

        with m.FSM():
            with m.State("IDLE"), m.If(self.run.start):
                m.d.comb += [stats.run.start.eq(1), reads.start.eq(1)]
                m.next = "STATISTICS"
            with m.State("STATISTICS"):
                self._read_words(m, unpacker, stats.word)
                m.d.comb += [
                    tables.revisit.valid.eq(stats.revisit.valid),
                    tables.revisit.payload.eq(stats.revisit.payload),
                ]
                with m.If(stats.run.done & stats.nonfinite):
                    m.d.comb += self.run.done.eq(1)
                    m.next = "IDLE"
                with m.Elif(stats.run.done):
                    m.d.comb += scales.run.start.eq(1)
                    m.next = "SCALES"
            with m.State("SCALES"):
                m.d.comb += bounds_mux.select.eq(1)
                if isinstance(scales, SharedScales):
                    self._sort_and_place(m, scales, tables, packer)
                with m.If(scales.run.done):
                    m.d.comb += [reads.start.eq(1), writes.start.eq(1)]
                    m.next = "QUANTIZE"
            with m.State("QUANTIZE"):
                m.d.comb += [
                    bounds_mux.select.eq(2),
                    packer.word.payload.eq(quantize.quantized.payload),
                    packer.word.valid.eq(quantize.quantized.valid),
                    quantize.quantized.ready.eq(packer.word.ready),
                ]
                self._read_words(m, unpacker, quantize.word)
                if self._shared:
                    m.d.comb += [
                        tables.revisit.valid.eq(quantize.revisit.valid),
                        tables.revisit.payload.eq(quantize.revisit.payload),
                    ]
                with m.If(landed):
                    m.d.comb += self.run.done.eq(1)
                    m.next = "IDLE"

        if isinstance(scales, SharedScales):
            self._share(m, scales, quantize, tables)
            m.d.comb += [
                self.sort_count.eq(job.row_beats << exact_log2(config.levels_per_beat)),
                scales.landed.eq(landed),
            ]
            for rows, begin in ((writes, scales.store), (reads, scales.fetch)):
                with m.If(begin):
                    m.d.comb += [
                        rows.start.eq(1),
                        rows.address.eq(job.records_address),
                        rows.rows.eq(job.row_beats),
                        rows.row_beats.eq(record_beats),
                    ]
        return m

    def _read_words(self, m: Module, unpacker: Unpacker, words: stream.Interface) -> None:
        """Give what is read to ``words``, in the present state."""
        word = unpacker.word.payload
        m.d.comb += [
            unpacker.beat.valid.eq(self.read.beat.valid),
            self.read.beat.ready.eq(unpacker.beat.ready),
            words.payload.values.eq(word.data),
            words.payload.index.eq(word.index),
            words.payload.last.eq(word.last),
            words.valid.eq(unpacker.word.valid),
            unpacker.word.ready.eq(words.ready),
        ]

    def _sort_and_place(
        self, m: Module, scales: SharedScales, tables: Tables, packer: BeatPacker
    ) -> None:
        """Store records, read them sorted, and write what they say, in the present state."""
        lane_bits = exact_log2(self._config.quantize_lanes)
        place, placed = scales.place.payload, tables.revisit.payload
        m.d.comb += [
            packer.word.payload.eq(scales.stored.payload),
            packer.word.valid.eq(scales.stored.valid),
            scales.stored.ready.eq(packer.word.ready),
            scales.fetched.valid.eq(self.read.beat.valid),
            self.read.beat.ready.eq(scales.fetched.ready),
            tables.revisit.valid.eq(scales.place.valid),
            placed.index.eq(place.channel[lane_bits:]),
            placed.write.eq(1),
            placed.high.eq(1 << place.channel[:lane_bits]),
            *(placed.value[i].eq(place.position) for i in range(self._config.quantize_lanes)),
        ]

    def _share(
        self, m: Module, scales: SharedScales, quantize: QuantizePass, tables: Tables
    ) -> None:
        """What only shared scales need."""
        wiring.connect(m, scales.sort, wiring.flipped(self.sort))
        wiring.connect(m, scales.group, tables.group)
        wiring.connect(m, quantize.row, tables.row)
        for asker, table in zip(quantize.groups, tables.groups, strict=True):
            wiring.connect(m, asker, table)
        m.d.comb += [
            scales.fetched.payload.eq(self.read.beat.payload),
            quantize.row_beats.eq(self.job.row_beats),
            quantize.clear.eq(scales.run.start),
            quantize.positions.eq(tables.positions),
        ]
