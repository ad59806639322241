"""Src rows: a tile of src rows in the scratchpad, written as they come, read chunk by chunk."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.config import BANK_BITS, LEVEL_BITS, EngineConfig
from hw.pair.skew import Skew
from hw.scratchpad import ScratchPort
from hw.words import chunk_word, entry


def src_skew(config: EngineConfig) -> Skew:
    """How src rows lie in the scratchpad: exchanged only where a chunk fills whole banks."""
    whole_banks = config.chunk_bits % BANK_BITS == 0
    return Skew.of(config.src_lanes, config.chunks_per_beat if whole_banks else 1)


def src_index(config: EngineConfig) -> range:
    """Numbers of the src of a tile: group * Q + lane."""
    return range(max(2, config.resident_src))


def known_src(config: EngineConfig) -> data.StructLayout:
    """A src of a tile, by its ``index``: its ``token``, and its `entry` as memory has it."""
    return data.StructLayout(
        {"index": src_index(config), "token": config.token_bits, "entry": entry()}
    )


def src_place(config: EngineConfig) -> data.StructLayout:
    """Where a src's row lies: its ``group`` of Q src, and its ``lane`` there."""
    return data.StructLayout(
        {
            "group": range(max(2, config.src_groups)),
            "lane": range(max(2, config.src_lanes)),
        }
    )


def row_part(config: EngineConfig) -> data.StructLayout:
    """W neighbouring chunks of a src's row: ``index`` W-th parts after its begin."""
    width = src_skew(config).width
    return data.StructLayout(
        {
            "place": src_place(config),
            "index": range(max(2, config.max_chunks // width)),
            "chunks": data.ArrayLayout(chunk_word(config), width),
        }
    )


class SrcRows(wiring.Component):
    """A tile of R groups of Q src rows, behind the scratchpad's single ports.

    Ports:
        ``part`` In, always-ready stream of `row_part`: written in the same cycle.
        ``group``, ``chunk`` In: which word is read in a cycle without a part; ``word`` Out: the
        chunk of each of the group's Q rows, a cycle later.
        ``scratch`` Out `ScratchPort`.

    A row takes ceil(chunks / W) parts, W as `src_skew` has it.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "part": In(stream.Signature(row_part(config), always_ready=True)),
                "group": In(range(max(2, config.src_groups))),
                "chunk": In(config.chunk_index_bits),
                "word": Out(data.ArrayLayout(chunk_word(config), config.src_lanes)),
                "scratch": Out(ScratchPort(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config, skew = self._config, src_skew(self._config)
        part, writes = self.part.payload, self.part.valid
        part_bits = exact_log2(skew.width)

        def address(group: Value, chunk: Value) -> Value:
            base = Signal.like(self.scratch.address[0])
            with m.Switch(group):
                for number in range(config.src_groups):
                    with m.Case(number):
                        m.d.comb += base.eq(number * config.max_chunks)
            return base + chunk

        read_address = address(self.group, self.chunk)
        write_address = address(part.place.group, part.index << part_bits)

        places, hits, addresses = [], [], []
        for place in range(config.src_lanes):
            hit, which = skew.written(part.place.lane, place)
            chunks = [part.chunks[number].as_value() for number in range(skew.width)]
            content = Signal(config.chunk_bits, name=f"content_{place}")
            with m.Switch(which if skew.width > 1 else 0):
                for number, chunk in enumerate(chunks):
                    with m.Case(number):
                        m.d.comb += content.eq(chunk)
            places.append(content)
            hits.append((hit & writes).replicate(config.channel_lanes))
            # W divides the number of a row's chunks, and with it every base.
            addresses.append(Cat(which, write_address[part_bits:]) if part_bits else write_address)
        content, mask = Cat(places), Cat(hits)
        for bank in range(config.scratch_banks):
            place = min(bank * BANK_BITS // config.chunk_bits, config.src_lanes - 1)
            levels = BANK_BITS // LEVEL_BITS
            m.d.comb += [
                self.scratch.address[bank].eq(Mux(writes, addresses[place], read_address)),
                self.scratch.write[bank].eq(writes),
                self.scratch.mask[bank].eq(mask[bank * levels : (bank + 1) * levels]),
                self.scratch.data[bank].eq(content[bank * BANK_BITS : (bank + 1) * BANK_BITS]),
            ]

        # On cycle 1 the entries come, in the places of their chunk.
        chunk = Signal(max(1, part_bits))
        m.d.sync += chunk.eq(self.chunk)
        flat = self.scratch.entry.as_value()
        entries: list[Value] = [
            flat[place * config.chunk_bits : (place + 1) * config.chunk_bits]
            for place in range(config.src_lanes)
        ]
        m.d.comb += self.word.eq(Cat(skew.in_lane_order(entries, chunk)))
        return m
