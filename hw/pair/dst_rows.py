"""Dst rows: tiles of P dst rows on chip, written as they come and read a chunk at a time."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.config import EngineConfig
from hw.pair.dau import dst_word
from hw.pair.skew import Skew
from hw.words import chunk_word


def dst_skew(config: EngineConfig) -> Skew:
    """How the rows of a tile lie in the banks of their lanes."""
    return Skew.of(config.dst_lanes, config.chunks_per_beat)


def ring_words(config: EngineConfig) -> int:
    """Words of the ring: two tiles of the longest rows, and more tiles of shorter ones."""
    return 2 * config.max_chunks


def dst_part(config: EngineConfig) -> data.StructLayout:
    """W neighbouring chunks of the row of a ``lane``, from word ``address`` of the ring on."""
    width = dst_skew(config).width
    return data.StructLayout(
        {
            "address": range(ring_words(config)),
            "lane": range(max(2, config.dst_lanes)),
            "chunks": data.ArrayLayout(chunk_word(config), width),
        }
    )


class DstRows(wiring.Component):
    """A ring of words, each one chunk of each of P rows; a bank a lane, read and written at once.

    Ports: ``part`` In, always-ready stream of `dst_part`: written in the same cycle; ``address``
    In: the word that is read; ``word`` Out: `dst_word`, a cycle later. Chunk k of a row lies at an
    address that is k modulo W (`dst_skew`).
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "part": In(stream.Signature(dst_part(config), always_ready=True)),
                "address": In(range(ring_words(config))),
                "word": Out(dst_word(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config, skew = self._config, dst_skew(self._config)
        part = self.part.payload
        part_bits = exact_log2(skew.width)
        places: list[Value] = []
        for place in range(config.dst_lanes):
            bank = Memory(shape=config.chunk_bits, depth=ring_words(config), init=[])
            m.submodules[f"bank_{place}"] = bank
            write, read = bank.write_port(), bank.read_port()
            hit, which = skew.written(part.lane, place)
            m.d.comb += [
                write.en.eq(self.part.valid & hit),
                write.addr.eq(Cat(which, part.address[part_bits:])),
                read.addr.eq(self.address),
            ]
            with m.Switch(which if part_bits else 0):
                for number in range(skew.width):
                    with m.Case(number):
                        m.d.comb += write.data.eq(part.chunks[number])
            places.append(read.data)
        # On cycle 1 the banks answer, in the places of their chunk.
        chunk = Signal(max(1, part_bits))
        m.d.sync += chunk.eq(self.address)
        m.d.comb += self.word.eq(Cat(skew.in_lane_order(places, chunk)))
        return m
