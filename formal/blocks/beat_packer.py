"""Beat packer: the words of a beat, in their order."""

from typing import Any

from amaranth.hdl import Assert, Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from formal.proof import Proof
from formal.streams import comes_in, goes_out
from hw.blocks.beat_packer import BeatPacker

_WORD, _WORDS = 2, 3


class _Properties(wiring.Component):
    """Words are noted in slots, the one that came first in the lowest."""

    def __init__(self, unit: Any):
        self._unit = unit(_WORD, _WORD * _WORDS)
        super().__init__(
            {
                "word": In(stream.Signature(_WORD)),
                "beat": Out(stream.Signature(_WORD * _WORDS)),
                "reached": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        comes_in(m, self.word, unit.word)
        goes_out(m, unit.beat, self.beat)
        slots = [Signal(_WORD, name=f"slot_{number}") for number in range(_WORDS)]
        count = Signal(range(_WORDS + 1))
        comes = unit.word.valid & unit.word.ready
        left = Mux(unit.beat.valid & unit.beat.ready, 0, count)
        m.d.sync += count.eq(left + comes)
        for number, slot in enumerate(slots):
            with m.If(comes & (left == number)):
                m.d.sync += slot.eq(unit.word.payload)
        m.d.comb += [
            Assert(unit.beat.valid == (count == _WORDS)),
            Assert(unit.word.ready == ((count != _WORDS) | unit.beat.ready)),
            Assert(~unit.beat.valid | (unit.beat.payload == Cat(slots))),
            self.reached.eq(unit.beat.valid & unit.beat.ready & comes),
        ]
        return m


PROOF = Proof(
    BeatPacker,
    f"each beat is the {_WORDS} words that came since the one before, the first one lowest; offers"
    " stay",
    _Properties,
    (
        ("filled == self._words", "filled >= self._words - 1"),
        ("filled.eq(1)", "filled.eq(0)"),
        ("~self.beat.valid | self.beat.ready", "~self.beat.valid"),
        ("Cat(self.beat.payload, self.word.payload)", "Cat(self.word.payload, self.beat.payload)"),
        ("filled.eq(filled + 1)", "filled.eq(0)"),
    ),
    ("a beat leaves as the first word of the next one comes",),
)
