"""Shared scales: channels sorted by span, each group with one span and one weight."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.beat_packer import BeatPacker
from hw.blocks.handshake import Handshake
from hw.config import LEVEL_BITS, RECORD_BITS, TOKEN_BEATS, EngineConfig
from hw.quantize.channel_groups import ChannelGroups, channel_record
from hw.quantize.channel_scan import ChannelScan
from hw.quantize.channel_weight import ChannelWeight
from hw.quantize.chunk_weights import ChunkWeights
from hw.quantize.row_permuter import place
from hw.quantize.scales import scale_ports

CHANNEL_RECORD_BEATS = RECORD_BITS // LEVEL_BITS
"""Beats of the channel records of a beat of quantised channels."""


class SharedScales(wiring.Component):
    """Has the channels sorted by span in memory, and gives each group its leader's span and weight.

    Source: docs/definition.md, 'Shared scale'. Ports: `scale_ports`, and
        ``place`` Out, always-ready stream of `place`: the channel at each position.
        ``store`` Out pulse: `CHANNEL_RECORD_BEATS` beats follow on ``stored`` Out stream for each
        beat of a quantised row; ``landed`` In: all that was stored is in memory.
        ``sort`` Out `Handshake`: sort them ascending, in place.
        ``fetch`` Out pulse: then they come back on ``fetched`` In stream.

    Takes `ChannelScan.cycles` for the spans, what storing, sorting and fetching take, and for each
    group the longer of a serial computation and G + 1 cycles.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        beats = stream.Signature(config.bus_bits)
        super().__init__(
            scale_ports(config)
            | {
                "place": Out(stream.Signature(place(config), always_ready=True)),
                "store": Out(1),
                "stored": Out(beats),
                "landed": In(1),
                "sort": Out(Handshake()),
                "fetch": Out(1),
                "fetched": In(beats),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config, run = self._config, self.run
        m.submodules.scan = scan = ChannelScan(config)
        m.submodules.weigher = weigher = ChannelWeight(config)
        m.submodules.weights = weights = ChunkWeights(config)
        m.submodules.records = records = BeatPacker(RECORD_BITS, config.bus_bits)
        m.submodules.groups = groups = ChannelGroups(config)
        wiring.connect(m, scan.stats, wiring.flipped(self.stats))
        wiring.connect(m, groups.leader, weigher.span)
        wiring.connect(m, weigher.weight, weights.weight)
        wiring.connect(m, weights.chunk, wiring.flipped(self.weight))
        wiring.connect(m, records.beat, wiring.flipped(self.stored))
        wiring.connect(m, wiring.flipped(self.fetched), groups.beat)
        span, placed = scan.span, groups.place.payload
        channel = Signal(config.channel_bits)
        with m.If(span.valid & span.ready):
            m.d.sync += channel.eq(Mux(span.payload.last, 0, channel + 1))
        m.d.comb += [
            scan.row_beats.eq(self.row_beats << exact_log2(TOKEN_BEATS)),
            records.word.payload.eq(channel_record(channel, span.payload.span)),
            records.word.valid.eq(span.valid),
            span.ready.eq(records.word.ready),
            groups.channels.eq(self.row_beats << exact_log2(config.levels_per_beat)),
            weigher.largest.eq(scan.largest),
            weights.start.eq(run.start),
            weights.chunks.eq(self.row_beats << exact_log2(config.chunks_per_beat)),
            self.exponent.eq(scan.exponent),
            self.span.valid.eq(groups.place.valid),
            self.span.payload.channel.eq(placed.channel),
            self.span.payload.span.eq(placed.span),
            self.place.valid.eq(groups.place.valid),
            self.place.payload.position.eq(placed.position),
            self.place.payload.channel.eq(placed.channel),
        ]
        all_placed = Signal()
        with m.If(groups.place.valid & placed.last):
            m.d.sync += all_placed.eq(1)
        with m.Elif(run.start):
            m.d.sync += all_placed.eq(0)

        with m.FSM():
            with m.State("IDLE"), m.If(run.start):
                m.d.comb += [scan.start.eq(1), scan.measure.eq(1), self.store.eq(1)]
                m.next = "STORE"
            with m.State("STORE"), m.If(span.valid & span.ready & span.payload.last):
                m.next = "LAND"
            with m.State("LAND"), m.If(~records.beat.valid & self.landed):
                m.d.comb += self.sort.start.eq(1)
                m.next = "SORT"
            with m.State("SORT"), m.If(self.sort.done):
                m.d.comb += [weigher.load.eq(1), self.fetch.eq(1)]
                m.next = "WEIGHTS"
            with m.State("WEIGHTS"), m.If(weights.complete & all_placed):
                m.d.comb += run.done.eq(1)
                m.next = "IDLE"
        return m
