"""Shared scales: channels sorted by span, each group with one span and one weight."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.handshake import Handshake
from hw.config import LEVEL_BITS, RECORD_BITS, EngineConfig
from hw.quantize.channel_groups import ChannelGroups, channel_place, channel_record
from hw.quantize.scales import add_scale_units, scale_ports
from hw.quantize.tables import group_span


class SharedScales(wiring.Component):
    """Has the channels sorted by span in memory, and gives a group its leader's span and weight.

    Source: docs/definition.md, 'Shared scale'. What is sorted in memory is `CHANNEL_RECORD`s.

    Ports: `scale_ports`, and
        ``group`` Out, always-ready stream of `group_span`: each group's span once; ``place`` Out,
        always-ready stream of `channel_place`: each channel's position once.
        ``store`` Out pulse: the records follow on ``stored`` Out stream of words, ``record_beats``
        beats for each beat of a quantised row; ``landed`` In: all that was stored is in memory;
        ``sort`` Out `Handshake`: sort them ascending, in place; ``fetch`` Out pulse: then they come
        back on ``fetched`` In stream of beats.

    Takes `ChannelScan.cycles` for the spans, what storing, sorting and fetching take, and for each
    group the longer of a serial computation and G + 1 cycles.
    """

    record_beats = RECORD_BITS // LEVEL_BITS
    """Beats of the records of a beat of quantised channels."""

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            scale_ports(config)
            | {
                "group": Out(stream.Signature(group_span(config), always_ready=True)),
                "place": Out(stream.Signature(channel_place(config), always_ready=True)),
                "store": Out(1),
                "stored": Out(stream.Signature(RECORD_BITS)),
                "landed": In(1),
                "sort": Out(Handshake()),
                "fetch": Out(1),
                "fetched": In(stream.Signature(config.bus_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config, run = self._config, self.run
        units = add_scale_units(m, config, self)
        weigher, span, group = units.weigher, units.scan.span, self.group
        m.submodules.groups = groups = ChannelGroups(config)
        leader = groups.leader
        wiring.connect(m, wiring.flipped(self.fetched), groups.beat)
        wiring.connect(m, leader, weigher.span)
        wiring.connect(m, groups.place, wiring.flipped(self.place))
        m.d.comb += [
            self.stored.payload.eq(channel_record(span.payload.channel, span.payload.span)),
            self.stored.valid.eq(span.valid),
            span.ready.eq(self.stored.ready),
            groups.channels.eq(self.row_beats << exact_log2(config.levels_per_beat)),
            weigher.largest.eq(leader.payload),  # The first, which comes as it is loaded.
            group.valid.eq(leader.valid & leader.ready),
            group.payload.span.eq(leader.payload),
        ]
        all_placed = Signal()
        with m.If(run.start):
            m.d.sync += [group.payload.group.eq(0), all_placed.eq(0)]
        with m.Elif(group.valid):
            m.d.sync += group.payload.group.eq(group.payload.group + 1)
        with m.If(self.place.valid & self.place.payload.last):
            m.d.sync += all_placed.eq(1)

        with m.FSM():
            with m.State("IDLE"), m.If(run.start):
                m.d.comb += [units.scan.start.eq(1), units.scan.measure.eq(1), self.store.eq(1)]
                m.next = "STORE"
            with m.State("STORE"), m.If(span.valid & span.ready & span.payload.last):
                m.next = "LAND"
            with m.State("LAND"), m.If(self.landed):
                m.d.comb += self.sort.start.eq(1)
                m.next = "SORT"
            with m.State("SORT"), m.If(self.sort.done):
                m.d.comb += self.fetch.eq(1)
                m.next = "LOAD"
            with m.State("LOAD"), m.If(leader.valid):
                m.d.comb += weigher.load.eq(1)
                m.next = "WEIGHTS"
            with m.State("WEIGHTS"), m.If(units.weights.complete & all_placed):
                m.d.comb += run.done.eq(1)
                m.next = "IDLE"
        return m
