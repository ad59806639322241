"""Quantise pass: token rows in, rows of levels out, L channels a cycle."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.beat_packer import BeatPacker
from hw.blocks.credit_queue import CreditQueue
from hw.blocks.handshake import Handshake
from hw.blocks.lookup import Lookup
from hw.blocks.pipeline import delay
from hw.blocks.unpacker import Unpacker
from hw.config import LEVEL_BITS, VALUE_BITS, EngineConfig
from hw.quantize.channel_stats import stats_lookup
from hw.quantize.fixed_point import exponent_bits
from hw.quantize.quantizer import Quantizer, level_word, span_word
from hw.quantize.row_permuter import RowPermuter, place


class QuantizePass(wiring.Component):
    """Quantises rows with the statistics at hand (docs/definition.md, 'Quantise').

    Ports:
        ``run`` In `Handshake`: start takes ``rows`` In (at least 1); the last beat leaves in the
        cycle of done. ``row_beats`` In: beats of a quantised row, constant from start to done.
        ``beat`` In stream: the rows' values, TOKEN_BEATS * row_beats beats a row.
        ``stats`` Out `stats_lookup`, for the lows; ``spans`` Out `Lookup` of `span_word`: R of L
        channels.
        ``exponent`` In: see `FixedPointDifference`.
        ``place`` In, only where scales are shared: `RowPermuter`'s.
        ``quantized`` Out stream: the rows' beats, in position order.

    A row takes `row_cycles` cycles; its first level reaches ``quantized`` `latency` cycles after
    its value came, or so many after the row's last value where rows are permuted.
    """

    _lookup = 2
    """Cycles until a word meets its channels' lows and spans."""

    def __init__(self, config: EngineConfig):
        self._config = config
        self._max_words = config.max_channels // config.quantize_lanes
        ports = {
            "run": In(Handshake()),
            "rows": In(config.count_bits),
            "row_beats": In(range(config.max_row_beats + 1)),
            "beat": In(stream.Signature(config.bus_bits)),
            "stats": Out(stats_lookup(config)),
            "spans": Out(Lookup(range(self._max_words), span_word(config))),
            "exponent": In(exponent_bits(config)),
            "quantized": Out(stream.Signature(config.bus_bits)),
        }
        if config.scale_group > 1:
            ports["place"] = In(stream.Signature(place(config), always_ready=True))
        super().__init__(ports)

    @staticmethod
    def row_cycles(config: EngineConfig, row_beats: int) -> int:
        """Cycles a row, sustained."""
        words = row_beats * config.levels_per_beat // config.quantize_lanes
        return words if config.scale_group == 1 else RowPermuter.row_cycles(words)

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        lanes = config.quantize_lanes
        beat_bits = config.bus_bits
        pipeline = self._lookup + Quantizer.latency
        m.submodules.unpacker = unpacker = Unpacker(beat_bits, VALUE_BITS * lanes, self._max_words)
        m.submodules.quantizer = quantizer = Quantizer(config)
        m.submodules.queue = queue = CreditQueue(
            level_word(config), CreditQueue.depth_for(pipeline)
        )
        m.submodules.packer = packer = BeatPacker(LEVEL_BITS * lanes, beat_bits)
        words = self.row_beats << exact_log2(config.levels_per_beat // lanes)

        # On cycle 0 a word is taken and its channels' lows and spans are asked for.
        wiring.connect(m, wiring.flipped(self.beat), unpacker.beat)
        word = unpacker.word.payload
        part_bits = exact_log2(config.values_per_beat // lanes)
        m.d.comb += [
            unpacker.words.eq(words),
            unpacker.word.ready.eq(queue.room),
            queue.take.eq(unpacker.word.valid & queue.room),
            self.stats.index.eq(word.index[part_bits:]),
            self.spans.index.eq(word.index),
        ]
        # On cycle 1 they come, on cycle 2 all of it enters the quantizer.
        part = delay(m, word.index[:part_bits], 1, "part")
        bounds = 2 * VALUE_BITS
        stats = self.stats.entry.as_value().word_select(part, bounds * lanes)
        step = quantizer.word.payload
        m.d.sync += [
            *(step.lows[i].eq(stats.word_select(i, bounds)[:VALUE_BITS]) for i in range(lanes)),
            step.values.eq(delay(m, word.data, 1, "values")),
            step.spans.eq(self.spans.entry),
        ]
        m.d.comb += [
            quantizer.word.valid.eq(delay(m, queue.take, self._lookup, "valid")),
            quantizer.exponent.eq(self.exponent),
        ]
        wiring.connect(m, quantizer.levels, queue.i)

        levels = queue.o
        if config.scale_group > 1:
            m.submodules.permuter = permuter = RowPermuter(config)
            wiring.connect(m, queue.o, permuter.i)
            wiring.connect(m, wiring.flipped(self.place), permuter.place)
            m.d.comb += permuter.words.eq(words)
            levels = permuter.o
        m.d.comb += [
            packer.word.payload.eq(levels.payload),  # As one value.
            packer.word.valid.eq(levels.valid),
            levels.ready.eq(packer.word.ready),
        ]
        wiring.connect(m, packer.beat, wiring.flipped(self.quantized))

        rows, position = Signal.like(self.rows), Signal.like(self.row_beats)
        leaves = self.quantized.valid & self.quantized.ready
        ends_row = position == self.row_beats - 1
        m.d.comb += self.run.done.eq(leaves & ends_row & (rows == 1))
        with m.If(self.run.start):
            m.d.sync += [rows.eq(self.rows), position.eq(0)]
        with m.Elif(leaves):
            m.d.sync += position.eq(position + 1)
            with m.If(ends_row):
                m.d.sync += [position.eq(0), rows.eq(rows - 1)]
        return m
