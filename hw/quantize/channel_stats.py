"""Channel statistics: the least and the largest value of every channel."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.blocks.handshake import Handshake
from hw.blocks.lookup import Lookup
from hw.blocks.pipeline import delay
from hw.config import TOKEN_BEATS, VALUE_BITS, EngineConfig
from hw.quantize.fixed_point import is_finite, key_value, order_key


def stats_word(config: EngineConfig) -> data.ArrayLayout:
    """``low`` and ``high`` of each channel of a beat."""
    bounds = data.StructLayout({"low": VALUE_BITS, "high": VALUE_BITS})
    return data.ArrayLayout(bounds, config.values_per_beat)


def stats_lookup(config: EngineConfig) -> Lookup:
    """How the statistics are asked for: by a beat of a row of values."""
    return Lookup(range(config.max_token_row_beats), stats_word(config))


class ChannelStats(wiring.Component):
    """Minimum and maximum of each channel over all rows (docs/definition.md, 'Quantise').

    Ports:
        ``run`` In `Handshake`: start takes ``rows`` In (at least 1) and ``row_beats`` In (beats of
        a row of values, a multiple of TOKEN_BEATS), and clears ``nonfinite``; done comes `latency`
        cycles after the last beat.
        ``beat`` In stream: the rows' beats; ready from start to the last beat.
        ``nonfinite`` Out: a NaN or an infinity has come since start; the result is then of no use.
        ``stats`` In `stats_lookup`: the word of a beat of the row, from done to the next start. -0
        comes out as +0.

    One beat a cycle. A word is back in the RAM `latency` cycles after it was asked for, which is
    the least length of a row.
    """

    latency = 4
    assert latency <= TOKEN_BEATS

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "run": In(Handshake()),
                "rows": In(config.count_bits),
                "row_beats": In(range(config.max_token_row_beats + 1)),
                "beat": In(stream.Signature(config.bus_bits)),
                "nonfinite": Out(1),
                "stats": In(stats_lookup(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        keys = data.ArrayLayout(2 * VALUE_BITS, config.values_per_beat)
        m.submodules.ram = ram = Memory(shape=keys, depth=config.max_token_row_beats, init=[])
        read_port, write_port = ram.read_port(), ram.write_port()

        rows = Signal.like(self.rows)
        position = Signal.like(self.stats.index)
        first_row = Signal()
        active = rows != 0
        transfer = Signal()
        last_of_row = position == self.row_beats - 1
        m.d.comb += [
            self.beat.ready.eq(active),
            transfer.eq(active & self.beat.valid),
            read_port.addr.eq(Mux(active, position, self.stats.index)),
            self.run.done.eq(delay(m, transfer & last_of_row & (rows == 1), self.latency, "last")),
        ]
        with m.If(self.run.start):
            m.d.sync += [rows.eq(self.rows), position.eq(0), first_row.eq(1)]
        with m.Elif(transfer):
            m.d.sync += position.eq(position + 1)
            with m.If(last_of_row):
                m.d.sync += [rows.eq(rows - 1), position.eq(0), first_row.eq(0)]

        # Cycle 1 compares, cycle 2 merges, cycle 3 writes.
        first = delay(m, first_row, 1, "first")
        m.d.comb += [
            write_port.en.eq(delay(m, transfer, 3, "valid")),
            write_port.addr.eq(delay(m, position, 3, "position")),
        ]
        finite = Signal(config.values_per_beat)
        m.d.sync += finite.eq(
            Cat(
                is_finite(config, self.beat.payload.word_select(v, VALUE_BITS))
                for v in range(config.values_per_beat)
            )
        )
        checked = delay(m, transfer, 1, "checked")
        with m.If(self.run.start):
            m.d.sync += self.nonfinite.eq(0)
        with m.Elif(checked & ~finite.all()):
            m.d.sync += self.nonfinite.eq(1)

        for v in range(config.values_per_beat):
            key_1 = Signal(VALUE_BITS, name=f"key_1_{v}")
            key_2 = Signal(VALUE_BITS, name=f"key_2_{v}")
            old = Signal(2 * VALUE_BITS, name=f"old_{v}")
            merged = Signal(2 * VALUE_BITS, name=f"merged_{v}")
            lower, higher = Signal(name=f"lower_{v}"), Signal(name=f"higher_{v}")
            stored = read_port.data[v]
            stored_low, stored_high = stored[:VALUE_BITS], stored[VALUE_BITS:]
            m.d.sync += [
                key_1.eq(order_key(self.beat.payload.word_select(v, VALUE_BITS))),
                key_2.eq(key_1),
                old.eq(stored),
                lower.eq(first | (key_1 < stored_low)),
                higher.eq(first | (key_1 > stored_high)),
                merged.eq(
                    Cat(Mux(lower, key_2, old[:VALUE_BITS]), Mux(higher, key_2, old[VALUE_BITS:]))
                ),
            ]
            m.d.comb += [
                write_port.data[v].eq(merged),
                self.stats.entry[v].low.eq(key_value(stored_low)),
                self.stats.entry[v].high.eq(key_value(stored_high)),
            ]
        return m
