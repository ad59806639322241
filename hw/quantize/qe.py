"""QE: the quantise stage, 16-bit token rows in memory to 4-bit rows and channel weights."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.handshake import Handshake
from hw.blocks.lookup import Lookup
from hw.blocks.lookup_mux import LookupMux
from hw.bus.client import ReadClient, WriteClient
from hw.bus.row_requests import RowRequests
from hw.config import TOKEN_BEATS, EngineConfig
from hw.job import Job
from hw.quantize.channel_scan import ChannelScan
from hw.quantize.channel_stats import ChannelStats, stats_word
from hw.quantize.channel_weight import ChannelWeight
from hw.quantize.own_scales import OwnScales
from hw.quantize.quantize_pass import QuantizePass
from hw.quantize.quantizer import span_word
from hw.quantize.shared_scales import SharedScales
from hw.words import chunk_weights


class QuantizationEngine(wiring.Component):
    """Statistics, scales and quantised rows of a job, one after another.

    Source: docs/definition.md, 'Quantise' and 'Shared scale'. `OwnScales` or `SharedScales` is in
    it, as the config's scale group says.

    Ports:
        ``run`` In `Handshake`, and ``job`` In, constant from start to done, when everything is in
        memory: ``tokens``, ``row_beats``, and the addresses of TOKENS, QUANTIZED and, where scales
        are shared, RECORDS.
        ``read`` Out `ReadClient`; ``write`` Out `WriteClient`.
        ``weight`` Out, always-ready stream of `chunk_weights`: each chunk of the padded row once.
        ``sort`` Out `Handshake` and ``sort_count`` Out, only used where scales are shared: sort so
        many words at RECORDS ascending, in place; memory holds them at its start and at its done.
        ``nonfinite`` Out, until the next start: a NaN or an infinity was read. ``run.done`` then
        comes after the statistics, with nothing written.

    A job takes the sum of `cycles`, at most `overhead` more, and memory's answer five times (three
    times where scales are not shared): rows are asked for so far ahead that latency counts once
    for each walk over them.
    """

    overhead = 110
    """Cycles to load the weight unit, to make the first requests, and to fill the pipelines."""

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "run": In(Handshake()),
                "job": In(Job(config)),
                "read": Out(ReadClient(config)),
                "write": Out(WriteClient(config)),
                "weight": Out(stream.Signature(chunk_weights(config), always_ready=True)),
                "sort": Out(Handshake()),
                "sort_count": Out(range(config.max_channels + 1)),
                "nonfinite": Out(1),
            }
        )

    @staticmethod
    def cycles(config: EngineConfig, tokens: int, row_beats: int) -> dict[str, int]:
        """Cycles of each stage of a job, where memory never lets wait and sorting is free.

        ``statistics``: a beat a cycle. ``spans``: see `ChannelScan.cycles`. ``weights``: one
        serial computation a weight. ``quantize``: L channels a cycle.
        """
        channels = row_beats * config.levels_per_beat
        weights = channels // config.scale_group
        weight_cycles = max(ChannelWeight(config).latency + 1, config.scale_group + 1)
        return {
            "statistics": tokens * TOKEN_BEATS * row_beats,
            "spans": ChannelScan.cycles(config, channels, measure=True),
            "weights": weights * weight_cycles,
            "quantize": tokens * QuantizePass.row_cycles(config, row_beats),
        }

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config, job = self._config, self.job
        rule = SharedScales if config.scale_group > 1 else OwnScales
        m.submodules.stats = stats = ChannelStats(config)
        m.submodules.scales = scales = rule(config)
        m.submodules.quantize = quantize = QuantizePass(config)
        stats_lookup = Lookup(range(config.max_token_row_beats), stats_word(config))
        m.submodules.stats_mux = stats_mux = LookupMux(stats_lookup, 2)
        max_rows = max(config.max_tokens, config.max_row_beats)
        m.submodules.reads = reads = RowRequests(
            config, max_rows, max(config.max_token_row_beats, rule.record_beats)
        )
        m.submodules.writes = writes = RowRequests(
            config, max_rows, max(config.max_row_beats, rule.record_beats)
        )
        wiring.connect(m, reads.request, wiring.flipped(self.read.request))
        wiring.connect(m, writes.request, wiring.flipped(self.write.request))
        wiring.connect(m, scales.weight, wiring.flipped(self.weight))
        wiring.connect(m, scales.stats, stats_mux.asker[0])
        wiring.connect(m, quantize.stats, stats_mux.asker[1])
        wiring.connect(m, stats_mux.table, stats.stats)
        wiring.connect(m, scales.sort, wiring.flipped(self.sort))
        if rule is SharedScales:
            wiring.connect(m, scales.place, quantize.place)
        self._keep_spans(m, scales.span, quantize.spans)
        token_row_beats = job.row_beats << exact_log2(TOKEN_BEATS)
        landed = ~writes.busy & self.write.idle
        m.d.comb += [
            # The defaults are those of the token rows and the quantised rows.
            reads.address.eq(job.tokens_address),
            reads.rows.eq(job.tokens),
            reads.row_beats.eq(token_row_beats),
            writes.address.eq(job.quantized_address),
            writes.rows.eq(job.tokens),
            writes.row_beats.eq(job.row_beats),
            self.nonfinite.eq(stats.nonfinite),
            self.sort_count.eq(job.row_beats << exact_log2(config.levels_per_beat)),
            stats.beat.payload.eq(self.read.beat.payload),
            stats.rows.eq(job.tokens),
            stats.row_beats.eq(token_row_beats),
            scales.row_beats.eq(job.row_beats),
            scales.fetched.payload.eq(self.read.beat.payload),
            scales.landed.eq(landed),
            quantize.beat.payload.eq(self.read.beat.payload),
            quantize.rows.eq(job.tokens),
            quantize.row_beats.eq(job.row_beats),
            quantize.exponent.eq(scales.exponent),
        ]

        with m.FSM():
            with m.State("IDLE"), m.If(self.run.start):
                m.d.comb += [stats.run.start.eq(1), reads.start.eq(1)]
                m.next = "STATISTICS"
            with m.State("STATISTICS"):
                self._read_beats(m, stats.beat)
                with m.If(stats.run.done & stats.nonfinite):
                    m.next = "FINISH"
                with m.Elif(stats.run.done):
                    m.d.comb += scales.run.start.eq(1)
                    m.next = "SCALES"
            with m.State("SCALES"):
                self._read_beats(m, scales.fetched)
                self._write_beats(m, scales.stored)
                with m.If(scales.run.done):
                    m.d.comb += [
                        reads.start.eq(1), writes.start.eq(1), quantize.run.start.eq(1),
                    ]  # fmt: skip
                    m.next = "QUANTIZE"
            with m.State("QUANTIZE"):
                m.d.comb += stats_mux.select.eq(1)
                self._read_beats(m, quantize.beat)
                self._write_beats(m, quantize.quantized)
                with m.If(quantize.run.done):
                    m.next = "FINISH"
            with m.State("FINISH"), m.If(landed):
                m.d.comb += self.run.done.eq(1)
                m.next = "IDLE"
        for rows, begin in ((writes, scales.store), (reads, scales.fetch)):
            with m.If(begin):
                m.d.comb += [
                    rows.start.eq(1),
                    rows.address.eq(job.records_address),
                    rows.rows.eq(job.row_beats),
                    rows.row_beats.eq(rule.record_beats),
                ]
        return m

    def _read_beats(self, m: Module, beats: stream.Interface) -> None:
        """Give the read port to ``beats``, in the present state; the payload goes to all."""
        m.d.comb += [
            beats.valid.eq(self.read.beat.valid),
            self.read.beat.ready.eq(beats.ready),
        ]

    def _write_beats(self, m: Module, beats: stream.Interface) -> None:
        """Give the write port to ``beats``, in the present state."""
        m.d.comb += [
            self.write.beat.payload.data.eq(beats.payload),
            self.write.beat.payload.strobe.eq(-1),
            self.write.beat.valid.eq(beats.valid),
            beats.ready.eq(self.write.beat.ready),
        ]

    def _keep_spans(self, m: Module, found: stream.Interface, asked: wiring.PureInterface) -> None:
        """The spans of all channels, written one by one and read L at a time."""
        config = self._config
        lane_bits = exact_log2(config.quantize_lanes)
        words = config.max_channels // config.quantize_lanes
        m.submodules.spans = spans = Memory(shape=span_word(config), depth=words, init=[])
        write, read = spans.write_port(granularity=1), spans.read_port()
        channel = Signal.like(found.payload.channel)
        m.d.comb += [
            channel.eq(found.payload.channel),
            write.addr.eq(channel[lane_bits:]),
            write.en.eq(found.valid << channel[:lane_bits]),
            *(write.data[i].eq(found.payload.span) for i in range(config.quantize_lanes)),
            read.addr.eq(asked.index),
            asked.entry.eq(read.data),
        ]
