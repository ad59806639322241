"""Channel statistics: the least and the largest value of every channel."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.handshake import Handshake
from hw.blocks.pipeline import delay
from hw.config import TOKEN_BEATS, EngineConfig
from hw.quantize.fixed_point import is_finite, order_key
from hw.quantize.lanes import bounds_lookup, revisit_word, trail, value_word


class ChannelStats(wiring.Component):
    """Minimum and maximum of each channel over all rows (docs/definition.md, 'Quantise').

    Ports:
        ``run`` In `Handshake`: start takes ``rows`` In (at least 1), and clears ``nonfinite``; done
        comes `latency` cycles after the last word, when all bounds are written.
        ``word`` In stream of `value_word`: the rows, of an even number of words each, at least
        TOKEN_BEATS; taken from start to the last word.
        ``bounds`` Out `bounds_lookup`, ``revisit`` Out, always-ready stream of `revisit_word`: the
        bounds of a word are asked for when it comes, and written `write_cycle` cycles later.
        ``nonfinite`` Out: a NaN or an infinity has come since start; the bounds are then of no use.

    A word a cycle. Where a gap came before, a word is held for a cycle if the bounds that are
    written in that cycle lie in its half of the banks.
    """

    write_cycle = 3
    latency = write_cycle + 1
    # Words of unlike parity meet where none is late, and a word's bounds are back before the next
    # row asks for them.
    assert write_cycle % 2 == 1
    assert latency <= TOKEN_BEATS

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "run": In(Handshake()),
                "rows": In(config.count_bits),
                "word": In(stream.Signature(value_word(config))),
                "bounds": Out(bounds_lookup(config)),
                "revisit": Out(stream.Signature(revisit_word(config), always_ready=True)),
                "nonfinite": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        word, written = self.word.payload, self.revisit.payload
        values = [word.values[i] for i in range(config.quantize_lanes)]

        rows = Signal.like(self.rows)
        first_row = Signal()
        take = Signal()
        meets = self.revisit.valid & (written.index[0] == word.index[0])
        m.d.comb += [
            self.word.ready.eq((rows != 0) & ~meets),
            take.eq(self.word.valid & self.word.ready),
            self.bounds.index.eq(word.index),
            self.run.done.eq(delay(m, take & word.last & (rows == 1), self.latency, "last")),
        ]
        with m.If(self.run.start):
            m.d.sync += [rows.eq(self.rows), first_row.eq(1)]
        with m.Elif(take & word.last):
            m.d.sync += [rows.eq(rows - 1), first_row.eq(0)]

        finite = trail(m, Cat(is_finite(config, value) for value in values).all(), 1, "finite")
        checked = delay(m, take, 1, "checked")
        with m.If(self.run.start):
            m.d.sync += self.nonfinite.eq(0)
        with m.Elif(checked & ~finite):
            m.d.sync += self.nonfinite.eq(1)

        # The bounds are known on cycle 1, compared on cycle 2 and written on cycle 3.
        m.d.comb += [
            self.revisit.valid.eq(delay(m, take, self.write_cycle, "valid")),
            written.write.eq(1),
            written.index.eq(trail(m, word.index, self.write_cycle, "index")),
        ]
        first = trail(m, first_row, 2, "first")
        for i, value in enumerate(values):
            key = trail(m, order_key(value), 2, f"key_{i}")
            low = trail(m, self.bounds.entry[i].low, 1, f"low_{i}")
            high = trail(m, self.bounds.entry[i].high, 1, f"high_{i}")
            m.d.comb += [
                written.value[i].eq(trail(m, key, 1, f"late_key_{i}")),
                written.low[i].eq(trail(m, first | (key < low), 1, f"lower_{i}")),
                written.high[i].eq(trail(m, first | (key > high), 1, f"higher_{i}")),
            ]
        return m
