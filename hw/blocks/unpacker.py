"""Unpacker: cuts memory beats into the words that the arithmetic takes."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2


class Unpacker(wiring.Component):
    """Cuts rows of whole beats into words, and drops what pads a row's last beat.

    Ports: ``words`` In: words of a row, at least 1, constant while rows come and in the cycle
    before; ``beat`` In stream of ``beat_bits``; ``word`` Out stream of ``data`` (word_bits),
    ``index`` (in the row), ``first`` and ``last`` (of the row).

    Word 0 is a beat's lowest bits. Words leave in the cycle in which their beat is offered
    (latency 0), one a cycle; a beat is taken with its last word, so back-pressure holds the beat.
    """

    latency = 0

    def __init__(self, beat_bits: int, word_bits: int, max_words: int):
        self._words_per_beat = beat_bits // word_bits
        index_bits = max(1, ceil_log2(max_words))
        word = data.StructLayout({"data": word_bits, "index": index_bits, "first": 1, "last": 1})
        super().__init__(
            {
                "words": In(range(max_words + 1)),
                "beat": In(stream.Signature(beat_bits)),
                "word": Out(stream.Signature(word)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        word = self.word.payload
        index = Signal.like(word.index)
        last_index = Signal.like(word.index)
        m.d.sync += last_index.eq(self.words - 1)
        position = index[: ceil_log2(self._words_per_beat)]

        m.d.comb += [
            self.word.valid.eq(self.beat.valid),
            word.data.eq(self.beat.payload.word_select(position, len(word.data))),
            word.index.eq(index),
            word.first.eq(index == 0),
            word.last.eq(index == last_index),
        ]
        end_of_beat = word.last | (position == self._words_per_beat - 1)
        m.d.comb += self.beat.ready.eq(self.word.ready & end_of_beat)
        with m.If(self.word.valid & self.word.ready):
            m.d.sync += index.eq(index + 1)
            with m.If(word.last):
                m.d.sync += index.eq(0)
        return m
