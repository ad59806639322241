"""Beat packer: joins words to beats, the inverse of the unpacker."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class BeatPacker(wiring.Component):
    """Joins ``beat_bits // word_bits`` words to a beat; the first word is a beat's lowest bits.

    Ports: ``word`` In stream of ``word_bits``; ``beat`` Out stream of ``beat_bits``.

    A beat is offered on cycle `latency` after its last word was taken. One word a cycle, also
    across beats: the next beat's first word enters in the cycle in which a beat leaves.
    """

    latency = 1

    def __init__(self, word_bits: int, beat_bits: int):
        if beat_bits % word_bits:
            raise ValueError(f"beat_bits is {beat_bits}, but must be a multiple of {word_bits}")
        self._words = beat_bits // word_bits
        super().__init__(
            {
                "word": In(stream.Signature(word_bits)),
                "beat": Out(stream.Signature(beat_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        filled = Signal(range(self._words + 1))
        shifted = Cat(self.beat.payload, self.word.payload)[len(self.word.payload) :]
        m.d.comb += [
            self.beat.valid.eq(filled == self._words),
            self.word.ready.eq(~self.beat.valid | self.beat.ready),
        ]
        with m.If(self.word.valid & self.word.ready):
            m.d.sync += self.beat.payload.eq(shifted)
            with m.If(self.beat.valid):
                m.d.sync += filled.eq(1)
            with m.Else():
                m.d.sync += filled.eq(filled + 1)
        with m.Elif(self.beat.valid & self.beat.ready):
            m.d.sync += filled.eq(0)
        return m
