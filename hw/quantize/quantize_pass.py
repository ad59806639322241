"""Quantise pass: token rows in, rows of levels out, L channels a cycle."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.beat_packer import BeatPacker
from hw.blocks.credit_queue import CreditQueue
from hw.blocks.pipeline import delay
from hw.blocks.unpacker import Unpacker
from hw.config import EngineConfig
from hw.quantize.channel_stats import stats_word
from hw.quantize.fixed_point import exponent_bits
from hw.quantize.quantizer import Quantizer, level_word, span_word
from hw.quantize.row_permuter import RowPermuter


class QuantizePass(wiring.Component):
    """Quantises rows with the statistics at hand (docs/definition.md, 'Quantise').

    Ports:
        ``start`` In pulse: takes ``rows`` (at least 1); ``row_beats`` In: beats of a quantised row,
        constant from ``start`` to ``done``.
        ``beat`` In stream: the rows' 16-bit values, 4 * row_beats beats a row.
        ``stats_address`` Out, ``stats`` In: `ChannelStats`' read port, for the lows.
        ``span_address`` Out, ``spans`` In (`span_word`): R of L channels, a cycle later.
        ``exponent`` In: see `FixedPointDifference`.
        ``place`` In, only where scales are shared: `RowPermuter`'s.
        ``quantized`` Out stream: the rows' beats, in position order.
        ``done`` Out pulse: the last beat leaves in this cycle.

    A row takes `row_cycles` cycles; its first level reaches ``quantized`` `latency` cycles after
    its value came, or so many after the row's last value where rows are permuted.
    """

    _lookup = 2
    """Cycles until a word meets its channels' lows and spans."""

    def __init__(self, config: EngineConfig):
        self._config = config
        self._max_words = config.max_channels // config.quantize_lanes
        self._permuter = RowPermuter(config) if config.scale_group > 1 else None
        ports = {
            "start": In(1),
            "rows": In(config.count_bits),
            "row_beats": In(range(config.max_row_beats + 1)),
            "beat": In(stream.Signature(config.bus_bytes * 8)),
            "stats_address": Out(range(4 * config.max_row_beats)),
            "stats": In(stats_word(config)),
            "span_address": Out(range(self._max_words)),
            "spans": In(span_word(config)),
            "exponent": In(exponent_bits(config)),
            "quantized": Out(stream.Signature(config.bus_bytes * 8)),
            "done": Out(1),
        }
        if self._permuter is not None:
            ports["place"] = In(self._permuter.place.signature.flip())
        super().__init__(ports)

    @staticmethod
    def row_cycles(config: EngineConfig, row_beats: int) -> int:
        """Cycles a row, sustained."""
        words = row_beats * config.nibbles_per_beat // config.quantize_lanes
        return words if config.scale_group == 1 else RowPermuter.row_cycles(words)

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        lanes = config.quantize_lanes
        beat_bits = config.bus_bytes * 8
        pipeline = self._lookup + Quantizer.latency
        m.submodules.unpacker = unpacker = Unpacker(beat_bits, 16 * lanes, self._max_words)
        m.submodules.quantizer = quantizer = Quantizer(config)
        m.submodules.queue = queue = CreditQueue(
            level_word(config), CreditQueue.depth_for(pipeline)
        )
        m.submodules.packer = packer = BeatPacker(4 * lanes, beat_bits)
        words = self.row_beats << exact_log2(config.nibbles_per_beat // lanes)

        # On cycle 0 a word is taken and its channels' lows and spans are asked for.
        wiring.connect(m, wiring.flipped(self.beat), unpacker.beat)
        word = unpacker.word.payload
        part_bits = exact_log2(config.values_per_beat // lanes)
        m.d.comb += [
            unpacker.words.eq(words),
            unpacker.word.ready.eq(queue.room),
            queue.take.eq(unpacker.word.valid & queue.room),
            self.stats_address.eq(word.index[part_bits:]),
            self.span_address.eq(word.index),
        ]
        # On cycle 1 they come, on cycle 2 all of it enters the quantizer.
        part = delay(m, word.index[:part_bits], 1, "part")
        stats = self.stats.as_value().word_select(part, 32 * lanes)
        step = quantizer.word.payload
        m.d.sync += [
            *(step.lows[i].eq(stats.word_select(i, 32)[:16]) for i in range(lanes)),
            step.values.eq(delay(m, word.data, 1, "values")),
            step.spans.eq(self.spans),
        ]
        m.d.comb += [
            quantizer.word.valid.eq(delay(m, queue.take, self._lookup, "valid")),
            quantizer.exponent.eq(self.exponent),
        ]
        wiring.connect(m, quantizer.levels, queue.i)

        levels = queue.o
        if self._permuter is not None:
            m.submodules.permuter = permuter = self._permuter
            wiring.connect(m, queue.o, permuter.i)
            wiring.connect(m, wiring.flipped(self.place), permuter.place)
            m.d.comb += permuter.words.eq(words)
            levels = permuter.o
        m.d.comb += [
            packer.word.payload.eq(levels.payload),
            packer.word.valid.eq(levels.valid),
            levels.ready.eq(packer.word.ready),
        ]
        wiring.connect(m, packer.beat, wiring.flipped(self.quantized))

        rows, position = Signal.like(self.rows), Signal.like(self.row_beats)
        leaves = self.quantized.valid & self.quantized.ready
        ends_row = position == self.row_beats - 1
        m.d.comb += self.done.eq(leaves & ends_row & (rows == 1))
        with m.If(self.start):
            m.d.sync += [rows.eq(self.rows), position.eq(0)]
        with m.Elif(leaves):
            m.d.sync += position.eq(position + 1)
            with m.If(ends_row):
                m.d.sync += [position.eq(0), rows.eq(rows - 1)]
        return m
