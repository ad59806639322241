"""Channel statistics: the least and the largest value of every channel."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.blocks.pipeline import delay
from hw.config import EngineConfig
from hw.quantize.fixed_point import is_finite, key_value, order_key


def stats_word(config: EngineConfig) -> data.ArrayLayout:
    """``low`` and ``high`` of each channel of a beat, as 16-bit values."""
    return data.ArrayLayout(data.StructLayout({"low": 16, "high": 16}), config.values_per_beat)


class ChannelStats(wiring.Component):
    """Minimum and maximum of each channel over all rows (docs/definition.md, 'Quantise').

    Ports:
        ``start`` In pulse: takes ``rows`` (at least 1) and ``row_beats`` (beats of a row of 16-bit
        values, a multiple of 4), clears ``nonfinite``.
        ``beat`` In stream: the rows' beats; ready from ``start`` to the last beat.
        ``done`` Out pulse, `latency` cycles after the last beat.
        ``nonfinite`` Out: a NaN or an infinity has come since ``start``; the result is then of no
        use.
        ``address`` In, ``entry`` Out: the `stats_word` of a beat of the row, a cycle later, valid
        from ``done`` to the next ``start``. -0 comes out as +0.

    One beat a cycle. A word is back in the RAM `latency` cycles after it was asked for, which is
    the least length of a row.
    """

    latency = 4

    def __init__(self, config: EngineConfig):
        self._config = config
        max_beats = 4 * config.max_row_beats
        super().__init__(
            {
                "start": In(1),
                "rows": In(config.count_bits),
                "row_beats": In(range(max_beats + 1)),
                "beat": In(stream.Signature(config.bus_bytes * 8)),
                "done": Out(1),
                "nonfinite": Out(1),
                "address": In(range(max_beats)),
                "entry": Out(stats_word(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        keys = data.ArrayLayout(32, config.values_per_beat)
        m.submodules.ram = ram = Memory(shape=keys, depth=4 * config.max_row_beats, init=[])
        read_port, write_port = ram.read_port(), ram.write_port()

        rows = Signal.like(self.rows)
        position = Signal.like(self.address)
        first_row = Signal()
        active = rows != 0
        transfer = Signal()
        last_of_row = position == self.row_beats - 1
        m.d.comb += [
            self.beat.ready.eq(active),
            transfer.eq(active & self.beat.valid),
            read_port.addr.eq(Mux(active, position, self.address)),
            self.done.eq(delay(m, transfer & last_of_row & (rows == 1), self.latency, "last")),
        ]
        with m.If(self.start):
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
                is_finite(config, self.beat.payload.word_select(v, 16))
                for v in range(config.values_per_beat)
            )
        )
        checked = delay(m, transfer, 1, "checked")
        with m.If(self.start):
            m.d.sync += self.nonfinite.eq(0)
        with m.Elif(checked & ~finite.all()):
            m.d.sync += self.nonfinite.eq(1)

        for v in range(config.values_per_beat):
            key_1, key_2 = Signal(16, name=f"key_1_{v}"), Signal(16, name=f"key_2_{v}")
            old = Signal(32, name=f"old_{v}")
            merged = Signal(32, name=f"merged_{v}")
            lower, higher = Signal(name=f"lower_{v}"), Signal(name=f"higher_{v}")
            stored = read_port.data[v]
            m.d.sync += [
                key_1.eq(order_key(self.beat.payload.word_select(v, 16))),
                key_2.eq(key_1),
                old.eq(stored),
                lower.eq(first | (key_1 < stored[:16])),
                higher.eq(first | (key_1 > stored[16:])),
                merged.eq(Cat(Mux(lower, key_2, old[:16]), Mux(higher, key_2, old[16:]))),
            ]
            m.d.comb += [
                write_port.data[v].eq(merged),
                self.entry[v].low.eq(key_value(stored[:16])),
                self.entry[v].high.eq(key_value(stored[16:])),
            ]
        return m
