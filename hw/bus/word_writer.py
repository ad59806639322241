"""Word writer: single words of 8 or 16 bytes, anywhere in memory."""

from amaranth.hdl import Cat, Const, Module, Mux, ShapeLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.stream_fork import StreamFork
from hw.bus.client import WriteClient
from hw.config import ENTRY_BITS, EngineConfig

_WORD_BYTES = ENTRY_BITS // 8
_HALF_BYTES = _WORD_BYTES // 2


def written_word(config: EngineConfig) -> ShapeLike:
    """A word to write.

    Members: ``address`` in bytes, a multiple of the word's size; ``data``; ``half``: it has 8 bytes
    in place of 16, the lower ones of ``data``.
    """
    return data.StructLayout({"address": config.address_bits, "data": ENTRY_BITS, "half": 1})


class WordWriter(wiring.Component):
    """Writes each word with a request of one beat and the strobes of its bytes.

    Ports: ``word`` In stream of `written_word`; ``write`` Out `WriteClient`, whose ``idle`` tells
    when all words are in memory.

    Latency 0. A word is taken when memory has taken its request and its beat, so a word a cycle
    where memory takes both in the same one.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "word": In(stream.Signature(written_word(config))),
                "write": Out(WriteClient(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        m.submodules.fork = fork = StreamFork(written_word(config), 2)
        wiring.connect(m, wiring.flipped(self.word), fork.i)
        asked, sent = fork.o
        request, beat = self.write.request, self.write.beat
        beat_shift = exact_log2(config.bus_bytes)
        half, word = Const((1 << _HALF_BYTES) - 1, _HALF_BYTES), sent.payload
        upper = word.half & word.address[exact_log2(_HALF_BYTES)]
        lower_bytes = word.data[: ENTRY_BITS // 2]
        strobe = Cat(Mux(upper, 0, half), Mux(word.half & ~upper, 0, half))
        content = Cat(lower_bytes, Mux(word.half, lower_bytes, word.data[ENTRY_BITS // 2 :]))
        copies = config.bus_bytes // _WORD_BYTES
        place = word.address[exact_log2(_WORD_BYTES) : beat_shift]
        m.d.comb += [
            request.valid.eq(asked.valid),
            asked.ready.eq(request.ready),
            request.payload.address.eq(
                Cat(Const(0, beat_shift), asked.payload.address[beat_shift:])
            ),
            request.payload.beats.eq(1),
            beat.valid.eq(sent.valid),
            sent.ready.eq(beat.ready),
            beat.payload.data.eq(content.replicate(copies)),
            *(
                beat.payload.strobe.word_select(copy, _WORD_BYTES).eq(
                    Mux(place == copy, strobe, 0) if copies > 1 else strobe
                )
                for copy in range(copies)
            ),
        ]
        return m
