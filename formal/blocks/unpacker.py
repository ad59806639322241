"""Unpacker: the words of a row, and no others, in their order."""

from typing import Any

from amaranth.hdl import Assert, Assume, Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from formal.proof import Proof
from formal.streams import comes_in, keeps_its_offer
from hw.blocks.unpacker import Unpacker

_WORD, _WORDS_A_BEAT, _MOST = 2, 4, 7


class _Properties(wiring.Component):
    """Rows come at least a cycle after their length was given, which changes between them alone."""

    def __init__(self, unit: Any):
        self._unit = unit(_WORD * _WORDS_A_BEAT, _WORD, _MOST)
        super().__init__(
            {
                "words": In(range(_MOST + 1)),
                "beat": In(stream.Signature(_WORD * _WORDS_A_BEAT)),
                "ready": In(1),
                "reached": Out(2),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        comes_in(m, self.beat, unit.beat)
        keeps_its_offer(m, unit.word, Assert)
        given, length = Signal(), Signal.like(self.words)
        place = Signal(range(_MOST))
        m.d.sync += [given.eq(1), length.eq(self.words)]
        m.d.comb += [
            unit.words.eq(self.words),
            unit.word.ready.eq(self.ready),
            Assume((self.words >= 1) & (self.words <= _MOST)),
            Assume((self.words == length) | ((place == 0) & ~unit.beat.valid)),
            Assume(given | ~unit.beat.valid),
        ]
        word = unit.word.payload
        last = place == length - 1
        end = last | (place % _WORDS_A_BEAT == _WORDS_A_BEAT - 1)
        leaves = unit.word.valid & self.ready
        with m.If(leaves):
            m.d.sync += place.eq(Mux(last, 0, place + 1))
        m.d.comb += Assert(unit.word.valid == unit.beat.valid)
        with m.If(unit.word.valid):
            m.d.comb += [
                Assert(word.index == place),
                Assert(word.first == (place == 0)),
                Assert(word.last == last),
                Assert(word.data == unit.beat.payload.word_select(place % _WORDS_A_BEAT, _WORD)),
                Assert(unit.beat.ready == (self.ready & end)),
            ]
        row_of_most = leaves & last & (length == _MOST)
        had_row_of_most = Signal()
        with m.If(row_of_most):
            m.d.sync += had_row_of_most.eq(1)
        m.d.comb += self.reached.eq(
            Cat(row_of_most, had_row_of_most & leaves & last & (length == 1))
        )
        return m


PROOF = Proof(
    Unpacker,
    f"rows of 1 to {_MOST} words, {_WORDS_A_BEAT} a beat, of lengths that change: each word is"
    " offered with its beat and in its place, and a beat taken with its last word; offers stay",
    _Properties,
    (
        ("index.eq(index + 1)", "index.eq(index + 2)"),
        ("word.last | (position", "(position"),
        ("self.word.ready & end_of_beat", "end_of_beat"),
        ("self.words - 1", "self.words"),
        ("index == 0", "position == 0"),
        (
            "m.d.sync += last_index.eq(self.words - 1)",
            "with m.If(last_index == 0):\n            m.d.sync += last_index.eq(self.words - 1)",
        ),
        ("self.word.valid.eq(self.beat.valid)", "self.word.valid.eq(0)"),
    ),
    ("a row of the most words ends", "after it a row of one word"),
)
