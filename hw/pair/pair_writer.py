"""Pair writer: links, losses and records of the pairs that the min tree decides."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.handshake import Handshake
from hw.bus.client import WriteClient
from hw.config import RECORD_BITS, EngineConfig
from hw.pair.min_tree import nearest
from hw.words import dst_lookup, link, pair_record

BUFFERED_TILES = 2
"""Src tiles whose results the pair writer can hold."""


class PairWriter(wiring.Component):
    """Takes each src tile's nearest slots; links them, sums L, and writes a record a pair.

    A beat of `pair_record` is written when it is full, or filled up with ones at the last pair.

    Ports:
        ``run`` In `Handshake`: done comes after everything is in memory; ``num_src``,
            ``records_address`` In.
        ``src`` In stream: the src tokens in order, a src tile's Q after another.
        ``best`` In, always-ready stream: `nearest` of the Q src lanes. At most `BUFFERED_TILES`
            may be under way; ``taken`` Out pulses when one has left.
        ``dst`` Out `dst_lookup`.
        ``push`` Out stream to `Links`.
        ``write`` Out `WriteClient`.
        ``loss`` Out: L, whole at done.

    A pair takes as long as its push (2 cycles in `Links`), and each beat of records 2 cycles more
    where memory takes it at once.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        best = data.ArrayLayout(nearest(config), config.src_lanes)
        super().__init__(
            {
                "run": In(Handshake()),
                "num_src": In(config.count_bits),
                "records_address": In(config.address_bits),
                "src": In(stream.Signature(config.token_bits)),
                "best": In(stream.Signature(best, always_ready=True)),
                "taken": Out(1),
                "dst": Out(dst_lookup(config)),
                "push": Out(stream.Signature(link(config))),
                "write": Out(WriteClient(config)),
                "loss": Out(config.loss_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        best_layout = self.best.payload.shape()
        # One place more than is used: this FIFO takes an item every cycle only from 3 places up,
        # and the two tiles may come in consecutive cycles.
        m.submodules.tiles = tiles = SyncFIFOBuffered(
            width=best_layout.size, depth=BUFFERED_TILES + 1
        )
        lane = Signal(max(1, exact_log2(config.src_lanes)))
        pairs = Signal(config.count_bits)
        entry = data.View(nearest(config), tiles.r_data.word_select(lane, nearest(config).size))
        last_pair = pairs == self.num_src - 1
        full = Signal()
        finished = Signal(init=1)

        m.d.comb += [
            tiles.w_data.eq(self.best.payload),
            tiles.w_en.eq(self.best.valid),
            self.dst.index.eq(entry.slot),
            self.push.payload.slot.eq(entry.slot),
            self.push.payload.src.eq(self.src.payload),
            self.push.valid.eq(tiles.r_rdy & self.src.valid & ~full & ~finished),
        ]
        pair = self.push.valid & self.push.ready
        m.d.comb += self.src.ready.eq(pair)

        position = Signal(range(config.records_per_beat + 1))
        pushed = Signal()
        pushed_entry = Signal(nearest(config))
        pushed_src = Signal(config.token_bits)
        pushed_position = Signal.like(position)
        m.d.sync += pushed.eq(pair)
        with m.If(pair):
            m.d.sync += [
                pushed_entry.eq(entry),
                pushed_src.eq(self.src.payload),
                pushed_position.eq(position),
                position.eq(position + 1),
                pairs.eq(pairs + 1),
                lane.eq(lane + 1),
            ]
            with m.If((lane == config.src_lanes - 1) | last_pair):
                m.d.comb += [tiles.r_en.eq(1), self.taken.eq(1)]
                m.d.sync += lane.eq(0)
            with m.If((position == config.records_per_beat - 1) | last_pair):
                m.d.sync += full.eq(1)

        # A cycle after the push the dst table has answered, before a full beat can be offered.
        beat = Signal(config.bus_bits)
        record = Signal(pair_record())
        m.d.comb += [
            record.dst.eq(self.dst.entry),
            record.src.eq(pushed_src),
            record.loss.eq(pushed_entry.distance),
        ]
        with m.If(pushed):
            m.d.sync += [
                beat.word_select(pushed_position, RECORD_BITS).eq(record),
                self.loss.eq(self.loss + pushed_entry.distance),
            ]

        self._write(m, beat, position, full)
        with m.If(self.run.start):
            m.d.sync += [
                pairs.eq(0), self.loss.eq(0), finished.eq(0), position.eq(0), beat.eq(~0),
            ]  # fmt: skip
        with m.Elif(~finished & (pairs == self.num_src) & ~full & self.write.idle):
            m.d.comb += self.run.done.eq(1)
            m.d.sync += finished.eq(1)
        return m

    def _write(self, m: Module, beat: Signal, position: Signal, full: Signal) -> None:
        """Write ``beat`` when it is full, by a request of its own: full beats are rare."""
        address = Signal(self._config.address_bits)
        requested = Signal()
        request, data_beat = self.write.request, self.write.beat
        m.d.comb += [
            request.payload.address.eq(address),
            request.payload.beats.eq(1),
            request.valid.eq(full & ~requested),
            data_beat.payload.data.eq(beat),
            data_beat.payload.strobe.eq(~0),
            data_beat.valid.eq(full & requested),
        ]
        with m.If(request.valid & request.ready):
            m.d.sync += requested.eq(1)
        with m.If(data_beat.valid & data_beat.ready):
            m.d.sync += [
                full.eq(0), requested.eq(0), position.eq(0), beat.eq(~0),
                address.eq(address + self._config.bus_bytes),
            ]  # fmt: skip
        with m.If(self.run.start):
            m.d.sync += address.eq(self.records_address)
