"""Shared scales: channels sorted by span, each group with one span and one weight."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import Out
from amaranth.utils import exact_log2

from hw.blocks.beat_packer import BeatPacker
from hw.config import LEVEL_BITS, RECORD_BITS, EngineConfig
from hw.quantize.channel_groups import ChannelGroups, channel_record
from hw.quantize.row_permuter import place
from hw.quantize.scales import add_scale_units, scale_ports


class SharedScales(wiring.Component):
    """Has the channels sorted by span in memory, and gives a group its leader's span and weight.

    Source: docs/definition.md, 'Shared scale'. Ports: `scale_ports`, and ``place`` Out,
    always-ready stream of `place`: the channel at each position. What is sorted in memory is
    `CHANNEL_RECORD`s.

    Takes `ChannelScan.cycles` for the spans, what storing, sorting and fetching take, and for each
    group the longer of a serial computation and G + 1 cycles.
    """

    record_beats = RECORD_BITS // LEVEL_BITS
    """Beats of the records of a beat of quantised channels."""

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            scale_ports(config) | {"place": Out(stream.Signature(place(config), always_ready=True))}
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config, run = self._config, self.run
        units = add_scale_units(m, config, self)
        scan, weigher = units.scan, units.weigher
        m.submodules.records = records = BeatPacker(RECORD_BITS, config.bus_bits)
        m.submodules.groups = groups = ChannelGroups(config)
        wiring.connect(m, groups.leader, weigher.span)
        wiring.connect(m, records.beat, wiring.flipped(self.stored))
        wiring.connect(m, wiring.flipped(self.fetched), groups.beat)
        span, placed = scan.span, groups.place.payload
        m.d.comb += [
            records.word.payload.eq(channel_record(units.channel, span.payload.span)),
            records.word.valid.eq(span.valid),
            span.ready.eq(records.word.ready),
            groups.channels.eq(self.row_beats << exact_log2(config.levels_per_beat)),
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
            with m.State("WEIGHTS"), m.If(units.weights.complete & all_placed):
                m.d.comb += run.done.eq(1)
                m.next = "IDLE"
        return m
