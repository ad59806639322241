"""QE: the quantise stage, 16-bit token rows in memory to 4-bit rows and channel weights."""

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.beat_packer import BeatPacker
from hw.bus.ports import ReadClient, WriteClient
from hw.bus.row_requests import RowRequests
from hw.config import RECORD_BITS, EngineConfig
from hw.pair.dau import weight_word
from hw.quantize.channel_groups import ChannelGroups, channel_record
from hw.quantize.channel_scan import ChannelScan
from hw.quantize.channel_stats import ChannelStats
from hw.quantize.channel_weight import ChannelWeight
from hw.quantize.quantize_pass import QuantizePass
from hw.quantize.quantizer import span_word

_RECORD_BEATS = 16
"""Beats of the channel records of a beat of quantised channels: 64 bits for each 4."""


class QuantizationEngine(wiring.Component):
    """Statistics, channel order, weights and quantised rows of a job.

    Source: docs/definition.md, 'Quantise' and 'Shared scale'.

    Ports:
        ``start`` In pulse, while idle; the job, constant from it to ``done``: ``tokens``, N,
        ``row_beats`` (of a quantised row; a row of 16-bit values is 4 times that),
        ``tokens_address``, ``quantized_address``, ``records_address`` (of room for a 64-bit word a
        channel of the padded row; only used where scales are shared), all aligned to beats.
        ``read`` Out `ReadClient`; ``write`` Out `WriteClient`.
        ``weight`` Out, always-ready stream of ``address`` (chunk) and ``data`` (`weight_word`):
        each chunk of the padded row once; channels of span 0 have weight 0.
        ``sort_start`` Out pulse, ``sort_count`` Out, ``sort_done`` In pulse, only used where scales
        are shared: sort that many words at ``records_address`` ascending, in place; memory holds
        them when the one comes and must when the other does.
        ``done`` Out pulse: everything is in memory.
        ``nonfinite`` Out, until the next ``start``: a NaN or an infinity was read. ``done`` then
        comes after the statistics, with nothing written.

    A job takes the sum of `cycles`, at most `overhead` more, and memory's answer five times (three
    times where scales are not shared): rows are asked for so far ahead that latency counts once
    for each walk over them.
    """

    overhead = 110
    """Cycles to load the weight unit, to make the first requests, and to fill the pipelines."""

    def __init__(self, config: EngineConfig):
        self._config = config
        weight = data.StructLayout(
            {"address": max(1, (config.max_chunks - 1).bit_length()), "data": weight_word(config)}
        )
        super().__init__(
            {
                "start": In(1),
                "tokens": In(config.count_bits),
                "row_beats": In(range(config.max_row_beats + 1)),
                "tokens_address": In(config.address_bits),
                "quantized_address": In(config.address_bits),
                "records_address": In(config.address_bits),
                "read": Out(ReadClient(config)),
                "write": Out(WriteClient(config)),
                "weight": Out(stream.Signature(weight, always_ready=True)),
                "sort_start": Out(1),
                "sort_count": Out(range(config.max_channels + 1)),
                "sort_done": In(1),
                "done": Out(1),
                "nonfinite": Out(1),
            }
        )

    @staticmethod
    def cycles(config: EngineConfig, tokens: int, row_beats: int) -> dict[str, int]:
        """Cycles of each stage of a job, where memory never lets wait and sorting is free.

        ``statistics``: a beat a cycle. ``spans``: see `ChannelScan.cycles`. ``weights``: one
        serial computation a weight. ``quantize``: L channels a cycle.
        """
        channels = row_beats * config.nibbles_per_beat
        weights = channels // config.scale_group
        weight_cycles = max(ChannelWeight(config).latency + 1, config.scale_group + 1)
        return {
            "statistics": tokens * 4 * row_beats,
            "spans": ChannelScan.cycles(config, channels, measure=True),
            "weights": weights * weight_cycles,
            "quantize": tokens * QuantizePass.row_cycles(config, row_beats),
        }

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        shares = config.scale_group > 1
        m.submodules.stats = stats = ChannelStats(config)
        m.submodules.scan = scan = ChannelScan(config)
        m.submodules.weigher = weigher = ChannelWeight(config)
        m.submodules.quantize = quantize = QuantizePass(config)
        max_rows = max(config.max_tokens, config.max_row_beats)
        m.submodules.reads = reads = RowRequests(
            config, max_rows, max(4 * config.max_row_beats, _RECORD_BEATS if shares else 0)
        )
        m.submodules.writes = writes = RowRequests(
            config, max_rows, max(config.max_row_beats, _RECORD_BEATS if shares else 0)
        )
        max_words = config.max_channels // config.quantize_lanes
        m.submodules.spans = spans = Memory(shape=span_word(config), depth=max_words, init=[])
        span_write, span_read = spans.write_port(granularity=1), spans.read_port()
        channels = self.row_beats << exact_log2(config.nibbles_per_beat)
        wiring.connect(m, reads.request, wiring.flipped(self.read.request))
        wiring.connect(m, writes.request, wiring.flipped(self.write.request))

        quantizing = Signal()
        m.d.comb += [
            # The defaults are those of the token rows and the quantised rows.
            reads.address.eq(self.tokens_address),
            reads.rows.eq(self.tokens),
            reads.row_beats.eq(self.row_beats << 2),
            writes.address.eq(self.quantized_address),
            writes.rows.eq(self.tokens),
            writes.row_beats.eq(self.row_beats),
            self.nonfinite.eq(stats.nonfinite),
            self.sort_count.eq(channels),
            stats.rows.eq(self.tokens),
            stats.row_beats.eq(self.row_beats << 2),
            stats.beat.payload.eq(self.read.beat.payload),
            stats.address.eq(Mux(quantizing, quantize.stats_address, scan.address)),
            scan.row_beats.eq(self.row_beats << 2),
            scan.entry.eq(stats.entry),
            weigher.largest.eq(scan.largest),
            quantize.rows.eq(self.tokens),
            quantize.row_beats.eq(self.row_beats),
            quantize.beat.payload.eq(self.read.beat.payload),
            quantize.stats.eq(stats.entry),
            span_read.addr.eq(quantize.span_address),
            quantize.spans.eq(span_read.data),
            quantize.exponent.eq(scan.exponent),
        ]
        weighed = self._give_weights(m, weigher)
        channel = Signal(config.channel_bits)
        with m.If(scan.span.valid & scan.span.ready):
            m.d.sync += channel.eq(Mux(scan.span.payload.last, 0, channel + 1))
        last_span = scan.span.valid & scan.span.ready & scan.span.payload.last

        def store_span(valid: Value, channel: Value, span: Value) -> None:
            lane_bits = exact_log2(config.quantize_lanes)
            m.d.comb += [
                span_write.addr.eq(channel[lane_bits:]),
                span_write.en.eq(valid << channel[:lane_bits]),
                *(span_write.data[i].eq(span) for i in range(config.quantize_lanes)),
            ]

        placed: Value = Const(1)
        if shares:
            m.submodules.records = records = BeatPacker(RECORD_BITS, config.bus_bytes * 8)
            m.submodules.groups = groups = ChannelGroups(config)
            place = groups.place
            store_span(place.valid, place.payload.channel, place.payload.span)
            placed = Signal()
            with m.If(place.valid & place.payload.last):
                m.d.sync += placed.eq(1)
            with m.Elif(self.start):
                m.d.sync += placed.eq(0)
            m.d.comb += [
                records.word.payload.eq(channel_record(channel, scan.span.payload.span)),
                records.word.valid.eq(scan.span.valid),
                scan.span.ready.eq(records.word.ready),
                weigher.span.payload.eq(groups.leader.payload),
                weigher.span.valid.eq(groups.leader.valid),
                groups.leader.ready.eq(weigher.span.ready),
                groups.channels.eq(channels),
                groups.beat.payload.eq(self.read.beat.payload),
                quantize.place.valid.eq(place.valid),
                quantize.place.payload.position.eq(place.payload.position),
                quantize.place.payload.channel.eq(place.payload.channel),
            ]

        def route_write(beat: stream.Interface) -> None:
            m.d.comb += [
                self.write.beat.payload.data.eq(beat.payload),
                self.write.beat.payload.strobe.eq(-1),
                self.write.beat.valid.eq(beat.valid),
                beat.ready.eq(self.write.beat.ready),
            ]

        def route_read(beat: stream.Interface) -> None:
            m.d.comb += [
                beat.valid.eq(self.read.beat.valid),
                self.read.beat.ready.eq(beat.ready),
            ]

        with m.FSM():
            with m.State("IDLE"), m.If(self.start):
                m.d.comb += [stats.start.eq(1), reads.start.eq(1)]
                m.next = "STATISTICS"
            with m.State("STATISTICS"):
                route_read(stats.beat)
                with m.If(stats.done & stats.nonfinite):
                    m.next = "FINISH"
                with m.Elif(stats.done):
                    m.d.comb += [scan.start.eq(1), scan.measure.eq(1)]
                    m.next = "RECORDS" if shares else "SPANS"
                    if shares:
                        m.d.comb += [
                            writes.start.eq(1),
                            writes.address.eq(self.records_address),
                            writes.rows.eq(self.row_beats),
                            writes.row_beats.eq(_RECORD_BEATS),
                        ]
            if shares:
                with m.State("RECORDS"):
                    route_write(records.beat)
                    with m.If(last_span):
                        m.next = "RECORDS_LAND"
                with m.State("RECORDS_LAND"):
                    route_write(records.beat)
                    with m.If(~records.beat.valid & ~writes.busy & self.write.idle):
                        m.d.comb += self.sort_start.eq(1)
                        m.next = "SORT"
                with m.State("SORT"), m.If(self.sort_done):
                    m.d.comb += [
                        weigher.load.eq(1),
                        reads.start.eq(1),
                        reads.address.eq(self.records_address),
                        reads.rows.eq(self.row_beats),
                        reads.row_beats.eq(_RECORD_BEATS),
                    ]
                    m.next = "WEIGHTS"
            else:
                with m.State("SPANS"):
                    m.d.comb += scan.span.ready.eq(1)
                    store_span(scan.span.valid, channel, scan.span.payload.span)
                    with m.If(last_span):
                        # A second walk brings the spans once more, now that the largest is known.
                        m.d.comb += [weigher.load.eq(1), scan.start.eq(1)]
                        m.next = "WEIGHTS"
            with m.State("WEIGHTS"):
                if shares:
                    route_read(groups.beat)
                else:
                    m.d.comb += [
                        weigher.span.payload.eq(scan.span.payload.span),
                        weigher.span.valid.eq(scan.span.valid),
                        scan.span.ready.eq(weigher.span.ready),
                    ]
                with m.If(weighed & placed):
                    m.d.comb += [reads.start.eq(1), writes.start.eq(1), quantize.start.eq(1)]
                    m.next = "QUANTIZE"
            with m.State("QUANTIZE"):
                m.d.comb += quantizing.eq(1)
                route_read(quantize.beat)
                route_write(quantize.quantized)
                with m.If(quantize.done):
                    m.next = "FINISH"
            with m.State("FINISH"), m.If(~writes.busy & self.write.idle):
                m.d.comb += self.done.eq(1)
                m.next = "IDLE"
        return m

    def _give_weights(self, m: Module, weigher: ChannelWeight) -> Value:
        """Join weights to chunks on ``weight``; 1 from the last chunk to the next ``start``."""
        config = self._config
        chunk_bits = len(self.weight.payload.data.as_value())
        m.submodules.weights = weights = BeatPacker(config.weight_bits, chunk_bits)
        chunk, weighed = Signal.like(self.weight.payload.address), Signal()
        chunks = self.row_beats << exact_log2(config.chunks_per_beat)
        wiring.connect(m, weigher.weight, weights.word)
        m.d.comb += [
            weights.beat.ready.eq(1),
            self.weight.valid.eq(weights.beat.valid),
            self.weight.payload.data.eq(weights.beat.payload),
            self.weight.payload.address.eq(chunk),
        ]
        with m.If(self.start):
            m.d.sync += [chunk.eq(0), weighed.eq(0)]
        with m.Elif(self.weight.valid):
            m.d.sync += [chunk.eq(chunk + 1), weighed.eq(chunk == chunks - 1)]
        return weighed
