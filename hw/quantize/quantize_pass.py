"""Quantise pass: token rows in, rows of levels out, L channels a cycle."""

from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.credit_queue import CreditQueue
from hw.blocks.pipeline import delay
from hw.config import BANK_BITS, LEVEL_BITS, EngineConfig
from hw.quantize.fixed_point import FixedPointDifference, exponent_bits, key_value
from hw.quantize.lanes import (
    bounds_lookup,
    level_word,
    revisit_word,
    trail,
    value_word,
    values_of,
)
from hw.quantize.quantizer import Quantizer
from hw.quantize.row_buffer import RowBuffer
from hw.quantize.tables import RowBanks, group_lookup

_LOOKUP = 2
"""Cycles until a word meets its channels' bounds."""


class QuantizePass(wiring.Component):
    """Quantises rows with the bounds at hand (docs/definition.md, 'Quantise' and 'Shared scale').

    Ports:
        ``word`` In stream of `value_word`: the rows.
        ``bounds`` Out `bounds_lookup`; ``exponent`` In: see `FixedPointDifference`.
        ``quantized`` Out stream of the rows' levels, those of L channels a word in channel order,
        or where scales are shared LEVELS_PER_WORD a word in position order.
        Where scales are shared: ``row_beats`` In, of a quantised row, constant from clear to the
        last word; ``clear`` In pulse, before a job, whose first row comes at least
        `RowBuffer.clear_cycles` later; ``revisit`` Out, always-ready stream of `revisit_word`, and
        ``positions`` In; ``groups`` [L] Out `group_lookup`; ``row`` Out `RowBanks`.

    A row takes `row_cycles` cycles. Its first levels are offered `latency` cycles after its first
    word came, or, where scales are shared, after its last one; the next row is taken when it has
    left. Where a gap came before, a word is then held for a cycle if the word that is revisited in
    that cycle lies in its half of the banks.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        self._shared = config.scale_group > 1
        quantized = BANK_BITS if self._shared else LEVEL_BITS * config.quantize_lanes
        ports: dict[str, Any] = {
            "word": In(stream.Signature(value_word(config))),
            "bounds": Out(bounds_lookup(config)),
            "exponent": In(exponent_bits(config)),
            "quantized": Out(stream.Signature(quantized)),
        }
        if self._shared:
            ports |= {
                "row_beats": In(range(config.max_row_beats + 1)),
                "clear": In(1),
                "revisit": Out(stream.Signature(revisit_word(config), always_ready=True)),
                "positions": In(values_of(config)),
                "groups": Out(group_lookup(config)).array(config.quantize_lanes),
                "row": Out(RowBanks(config)),
            }
        super().__init__(ports)

    @staticmethod
    def revisit_cycle(config: EngineConfig) -> int:
        """When the positions of a word are asked for once more, to come with its levels.

        Odd, so that words of unlike parity meet where none is late.
        """
        return (_LOOKUP + Quantizer.latency(config) - 2) | 1

    @classmethod
    def latency(cls, config: EngineConfig) -> int:
        """Cycles from a row's first word to its first levels; from its last one where shared."""
        if config.scale_group > 1:
            return cls.revisit_cycle(config) + 2 + RowBuffer.latency
        return _LOOKUP + Quantizer.latency(config) + 2

    @classmethod
    def row_cycles(cls, config: EngineConfig, row_beats: int) -> int:
        """Cycles a row, sustained."""
        words = row_beats * config.levels_per_beat // config.quantize_lanes
        if config.scale_group == 1:
            return words
        return words - 1 + cls.latency(config) + row_beats * config.bus_bits // BANK_BITS

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config, word = self._config, self.word.payload
        m.submodules.quantizer = quantizer = Quantizer(config)

        # On cycle 0 a word is taken and its channels' bounds are asked for, on cycle 1 they come,
        # and on cycle 2 all of it enters the quantizer.
        take = Signal()
        lows = [key_value(bounds.low) for bounds in self.bounds.entry]
        highs = [bounds.high for bounds in self.bounds.entry]
        step = quantizer.word.payload
        m.d.comb += [
            take.eq(self.word.valid & self.word.ready),
            self.bounds.index.eq(word.index),
            step.values.eq(trail(m, word.values.as_value(), _LOOKUP, "values")),
            *(step.lows[i].eq(trail(m, low, 1, f"low_{i}")) for i, low in enumerate(lows)),
            quantizer.word.valid.eq(delay(m, take, _LOOKUP, "valid")),
            quantizer.exponent.eq(self.exponent),
        ]
        if self._shared:
            self._look_up_spans(m, quantizer, highs)
            self._buffer_rows(m, quantizer, take)
        else:
            self._compute_spans(m, quantizer, highs)
            self._queue_levels(m, quantizer, take)
        return m

    def _compute_spans(self, m: Module, quantizer: Quantizer, highs: list[Value]) -> None:
        """The span of each channel from its bounds, which takes as long as its value's distance."""
        for i, high in enumerate(highs):
            m.submodules[f"span_{i}"] = span = FixedPointDifference(self._config)
            m.d.comb += [
                span.upper.eq(trail(m, key_value(high), 1, f"high_{i}")),
                span.lower.eq(quantizer.word.payload.lows[i]),
                span.exponent.eq(self.exponent),
                quantizer.spans[i].eq(span.difference),
            ]

    def _queue_levels(self, m: Module, quantizer: Quantizer, take: Value) -> None:
        """Levels as they come, in channel order."""
        config = self._config
        depth = CreditQueue.depth_for(_LOOKUP + Quantizer.latency(config))
        m.submodules.queue = queue = CreditQueue(level_word(config), depth)
        wiring.connect(m, quantizer.levels, queue.i)
        m.d.comb += [
            self.word.ready.eq(queue.room),
            queue.take.eq(take),
            self.quantized.payload.eq(queue.o.payload),
            self.quantized.valid.eq(queue.o.valid),
            queue.o.ready.eq(self.quantized.ready),
        ]

    def _look_up_spans(self, m: Module, quantizer: Quantizer, positions: list[Value]) -> None:
        """The span of each channel's group, asked for so that it comes when it is taken."""
        config = self._config
        bits = exact_log2(config.scale_group)
        wait = Quantizer.span_cycle(config) - 1
        for i, position in enumerate(positions):
            group = position[bits : config.channel_bits]
            m.d.comb += [
                self.groups[i].index.eq(trail(m, group, wait, f"group_{i}")),
                quantizer.spans[i].eq(trail(m, self.groups[i].entry, 1, f"span_{i}")),
            ]

    def _buffer_rows(self, m: Module, quantizer: Quantizer, take: Value) -> None:
        """Levels a row at a time, in position order."""
        config, word, again = self._config, self.word.payload, self.revisit.payload
        m.submodules.buffer = buffer = RowBuffer(config)
        wiring.connect(m, buffer.word, wiring.flipped(self.quantized))
        wiring.connect(m, buffer.banks, wiring.flipped(self.row))
        full = Signal()
        with m.If(take & word.last):
            m.d.sync += full.eq(1)
        with m.Elif(buffer.drained):
            m.d.sync += full.eq(0)

        revisit = self.revisit_cycle(config)
        last = delay(m, take & word.last, revisit, "last")
        m.d.comb += [
            self.revisit.valid.eq(delay(m, take, revisit, "revisited")),
            again.write.eq(0),
            self.word.ready.eq(~full & ~(self.revisit.valid & (again.index[0] == word.index[0]))),
        ]
        with m.If(self.revisit.valid):
            m.d.sync += again.index.eq(again.index + 1)
        with m.If(last):
            m.d.sync += again.index.eq(0)

        fill = buffer.fill.payload
        late = revisit + 2 - _LOOKUP - Quantizer.latency(config)
        m.d.comb += [
            buffer.words.eq(self.row_beats << exact_log2(config.bus_bits // BANK_BITS)),
            buffer.clear.eq(self.clear),
            buffer.fill.valid.eq(delay(m, quantizer.levels.valid, late, "placed")),
            fill.last.eq(delay(m, last, 2, "last_placed")),
            fill.levels.eq(trail(m, quantizer.levels.payload.as_value(), late, "levels")),
            *(
                fill.positions[i].eq(trail(m, position[: config.channel_bits], 1, f"position_{i}"))
                for i, position in enumerate(self.positions)
            ),
        ]
