"""Report: writes the final dst list and the history of L to memory."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.handshake import Handshake
from hw.blocks.lookup import Lookup
from hw.bus.client import WriteClient
from hw.config import EngineConfig


class Report(wiring.Component):
    """Writes a table's entries as words, one after another, into whole beats.

    Ports:
        ``run`` In `Handshake`: from start to done, when all is in memory, ``words`` In, at least 1,
            and ``address`` In are constant.
        ``table`` Out `Lookup`. ``write`` Out `WriteClient`.

    Cycles, where memory takes beats at once: 1 for the request, 2 a word and 1 a beat. What pads
    the last beat is zero.
    """

    def __init__(self, config: EngineConfig, table: Lookup, word_bits: int, max_words: int):
        self._config = config
        self._word_bits = word_bits
        self._words_per_beat = config.bus_bits // word_bits
        super().__init__(
            {
                "run": In(Handshake()),
                "words": In(range(max_words + 1)),
                "address": In(config.address_bits),
                "table": Out(table),
                "write": Out(WriteClient(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        request, beat = self.write.request, self.write.beat
        data = Signal(self._config.bus_bits)
        position = Signal(exact_log2(self._words_per_beat))
        index = Signal.like(self.words)
        last = index == self.words - 1
        m.d.comb += [
            self.table.index.eq(index),
            request.payload.address.eq(self.address),
            request.payload.beats.eq(
                (self.words + self._words_per_beat - 1) >> exact_log2(self._words_per_beat)
            ),
            beat.payload.data.eq(data),
            beat.payload.strobe.eq(~0),
        ]
        with m.FSM(name="report"):
            with m.State("IDLE"):
                m.d.sync += [index.eq(0), position.eq(0)]
                with m.If(self.run.start):
                    m.next = "REQUEST"
            with m.State("REQUEST"):
                m.d.comb += request.valid.eq(1)
                with m.If(request.ready):
                    m.next = "ASK"
            with m.State("ASK"):
                m.next = "TAKE"
            with m.State("TAKE"):
                m.d.sync += data.eq(
                    Mux(position == 0, 0, data)
                    | (self.table.entry << (position * self._word_bits))[: len(data)]
                )
                m.d.sync += [position.eq(position + 1), index.eq(index + 1)]
                m.next = "ASK"
                with m.If(last | (position == self._words_per_beat - 1)):
                    m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += beat.valid.eq(1)
                m.d.sync += position.eq(0)
                with m.If(beat.ready):
                    m.next = "ASK"
                    with m.If(index == self.words):
                        m.next = "SETTLE"
            with m.State("SETTLE"), m.If(self.write.idle):
                m.d.comb += self.run.done.eq(1)
                m.next = "IDLE"
        return m
