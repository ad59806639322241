"""Word writer: the bytes of each word, and no others."""

from dataclasses import replace
from typing import Any

from amaranth.hdl import Assert, Assume, Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from formal.proof import Proof
from formal.streams import comes_in, keeps_its_offer
from hw.bus.client import WriteClient
from hw.bus.word_writer import WordWriter, written_word
from hw.config import ENTRY_BITS, PRESETS

_CONFIG = replace(PRESETS["tiny"], bus_bytes=32)
_SHIFT = exact_log2(_CONFIG.bus_bytes)
_WORD_BYTES = ENTRY_BITS // 8


class _Properties(wiring.Component):
    """A byte of memory, any, is followed."""

    def __init__(self, unit: Any):
        self._unit = unit(_CONFIG)
        super().__init__(
            {
                "word": In(stream.Signature(written_word(_CONFIG))),
                "write": Out(WriteClient(_CONFIG)),
                "byte": In(_SHIFT),
                "reached": Out(3),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        comes_in(m, self.word, unit.word)
        wiring.connect(m, unit.write, wiring.flipped(self.write))
        request, beat = unit.write.request, unit.write.beat
        word = unit.word.payload
        size = exact_log2(_WORD_BYTES)
        m.d.comb += [
            Assume(word.address[: size - 1] == 0),
            Assume(word.half | ~word.address[size - 1]),
        ]
        for port in (request, beat):
            keeps_its_offer(m, port, Assert)
        leaves = unit.word.valid & unit.word.ready
        settled = []
        for name, port in (("asked", request), ("sent", beat)):
            has = Signal(name=name)
            takes = port.valid & port.ready
            m.d.sync += has.eq(~leaves & (has | takes))
            m.d.comb += Assert(port.valid == (unit.word.valid & ~has))
            settled.append(has | takes)
        m.d.comb += Assert(leaves == (unit.word.valid & Cat(settled).all()))
        with m.If(request.valid):
            m.d.comb += [
                Assert(request.payload.address[:_SHIFT] == 0),
                Assert(request.payload.address[_SHIFT:] == word.address[_SHIFT:]),
                Assert(request.payload.beats == 1),
            ]
        place = Signal(range(2 * _CONFIG.bus_bytes))
        inside = (self.byte >= word.address[:_SHIFT]) & (
            place < Mux(word.half, _WORD_BYTES // 2, _WORD_BYTES)
        )
        m.d.comb += place.eq(self.byte - word.address[:_SHIFT])
        with m.If(beat.valid):
            m.d.comb += Assert(beat.payload.strobe.bit_select(self.byte, 1) == inside)
            with m.If(inside):
                m.d.comb += Assert(
                    beat.payload.data.word_select(self.byte, 8) == word.data.word_select(place, 8)
                )
        upper = word.half & word.address[size - 1] & word.address[size]
        m.d.comb += self.reached.eq(
            Cat(
                leaves & upper, leaves & ~word.half & word.address[size],
                request.valid & ~beat.valid,
            )
        )  # fmt: skip
        return m


PROOF = Proof(
    WordWriter,
    f"words of 8 and 16 bytes, {_CONFIG.bus_bytes} a beat: each asks for its beat once and sends it"
    " once, with the strobes and the content of its own bytes; it is taken with the later of both;"
    " offers stay",
    _Properties,
    (
        ("Mux(upper, 0, half)", "half"),
        ("word.half & ~upper, 0, half", "word.half, 0, half"),
        ("Mux(place == copy, strobe, 0)", "strobe"),
        ("Cat(lower_bytes, Mux(word.half, lower_bytes, ", "Cat(lower_bytes, Mux(0, lower_bytes, "),
        ("beats.eq(1)", "beats.eq(2)"),
        ("asked.ready.eq(request.ready)", "asked.ready.eq(1)"),
        ("beat.valid.eq(sent.valid)", "beat.valid.eq(sent.valid & request.ready)"),
        ("Cat(Const(0, beat_shift), asked.payload.address[beat_shift:])", "asked.payload.address"),
    ),
    (
        "an upper half in the upper word", "a whole word in the upper half of its beat",
        "memory takes a request before its beat",
    ),
)  # fmt: skip
