"""Report: writes the final dst list and the history of L to memory."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.bus.ports import WriteClient
from hw.config import EngineConfig


class Report(wiring.Component):
    """Writes a table, one word after another, into whole beats.

    Ports:
        ``start`` In pulse; ``words`` In, at least 1, and ``address`` In: constant until ``done``
            Out pulses, when all is in memory.
        ``index`` Out, ``word`` In: asks the table, which answers a cycle later.
        ``write`` Out `WriteClient`.

    Cycles, where memory takes beats at once: 1 for the request, 2 a word and 1 a beat. What pads
    the last beat is zero.
    """

    def __init__(self, config: EngineConfig, word_bits: int, max_words: int):
        self._config = config
        self._words_per_beat = config.bus_bytes * 8 // word_bits
        count_bits = max_words.bit_length()
        super().__init__(
            {
                "start": In(1),
                "words": In(count_bits),
                "address": In(config.address_bits),
                "index": Out(count_bits),
                "word": In(word_bits),
                "write": Out(WriteClient(config)),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        request, beat = self.write.request, self.write.beat
        data = Signal(self._config.bus_bytes * 8)
        position = Signal(exact_log2(self._words_per_beat))
        last = self.index == self.words - 1
        m.d.comb += [
            request.payload.address.eq(self.address),
            request.payload.beats.eq(
                (self.words + self._words_per_beat - 1) >> exact_log2(self._words_per_beat)
            ),
            beat.payload.data.eq(data),
            beat.payload.strobe.eq(~0),
        ]
        with m.FSM(name="report"):
            with m.State("IDLE"):
                m.d.sync += [self.index.eq(0), position.eq(0)]
                with m.If(self.start):
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
                    | (self.word << (position * len(self.word)))[: len(data)]
                )
                m.d.sync += [position.eq(position + 1), self.index.eq(self.index + 1)]
                m.next = "ASK"
                with m.If(last | (position == self._words_per_beat - 1)):
                    m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += beat.valid.eq(1)
                m.d.sync += position.eq(0)
                with m.If(beat.ready):
                    m.next = "ASK"
                    with m.If(self.index == self.words):
                        m.next = "SETTLE"
            with m.State("SETTLE"), m.If(self.write.idle):
                m.d.comb += self.done.eq(1)
                m.next = "IDLE"
        return m
