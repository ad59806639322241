"""Src rows: a tile written part by part, and every chunk of it read back, in plain Python."""

import random
from dataclasses import replace
from typing import Any

import cocotb
import pytest

from hw.config import LEVEL_BITS, PRESETS, EngineConfig
from hw.pair.src_rows import SrcRows, row_part, src_skew
from hw.words import chunk_word
from tb.layouts import decode_words, encode
from tb.runner import parameters, simulate
from tb.scratched import Scratched
from tb.streams import Bench, set_value, unsigned

TINY = PRESETS["tiny"]
CONFIGS = {
    "one": replace(TINY, src_lanes=1, src_groups=1, channel_lanes=16),
    "six": replace(TINY, src_lanes=6, src_groups=3, channel_lanes=16, bus_bytes=32),
    "four": replace(TINY, src_lanes=4, src_groups=1, channel_lanes=16, bus_bytes=32),
    "six-narrow": replace(TINY, src_lanes=6, src_groups=3),
    "wide": replace(
        TINY, src_lanes=6, src_groups=2, channel_lanes=32, bus_bytes=32, max_channels=256
    ),
}
WIDTHS = {"one": 1, "six": 2, "four": 4, "six-narrow": 1, "wide": 2}
"""Chunks of a part: exchanged lanes, where a chunk fills whole banks."""
Part = dict[str, Any]


class Rig:
    """A `SrcRows`, what its rows must hold, and the reads under way."""

    def __init__(self, dut: Any, seed: int = 0):
        self.config = EngineConfig(**parameters())
        self.width = src_skew(self.config).width
        self.bench = Bench(dut)
        self.dut = dut
        self.rows: dict[tuple[int, int, int], int] = {}
        self.random = random.Random(seed)
        self.checked = 0
        self._asked: tuple[int, int] | None = None
        self.dut.part__valid.value = 0

    async def cycle(self, *, part: Part | None = None, read: tuple[int, int] | None = None) -> None:
        """Offer a part or ask for the word of a (group, chunk); compare the word asked before."""
        assert part is None or read is None
        self.dut.part__valid.value = int(part is not None)
        if part is not None:
            set_value(self.dut.part__payload, encode(row_part(self.config), part))
        # A part comes with any read address.
        group, chunk = read or (
            self.random.randrange(self.config.src_groups),
            self.random.randrange(self.config.max_chunks),
        )
        set_value(self.dut.group, group)
        set_value(self.dut.chunk, chunk)
        await self.bench.cycles()
        asked, self._asked = self._asked, read
        if asked is not None:
            word = unsigned(self.dut.word.value)
            lanes = decode_words(self.config.chunk_bits, word, self.config.src_lanes)
            for lane, found in enumerate(lanes):
                if (wanted := self.rows.get((asked[0], lane, asked[1]))) is not None:
                    assert found == wanted, f"lane {lane} of chunk {asked[1]}, group {asked[0]}"
                    self.checked += 1

    async def write(self, group: int, lane: int, index: int) -> None:
        """Write a part of random chunks."""
        chunks = [self.random.getrandbits(self.config.chunk_bits) for _ in range(self.width)]
        levels = [decode_words(LEVEL_BITS, chunk, self.config.channel_lanes) for chunk in chunks]
        place = {"group": group, "lane": lane}
        await self.cycle(part={"place": place, "index": index, "chunks": levels})
        for offset, chunk in enumerate(chunks):
            self.rows[group, lane, index * self.width + offset] = chunk

    async def read_any(self) -> None:
        """Read the word of a chunk that some lane has."""
        group, _, chunk = self.random.choice(list(self.rows))
        await self.cycle(read=(group, chunk))


async def tile(rig: Rig, src: int, chunks: int, stall: float) -> None:
    """Write the rows of so many src in order; read in the cycles between, and all at the end."""
    config = rig.config
    for number in range(src):
        group, lane = divmod(number, config.src_lanes)
        for index in range(-(-chunks // rig.width)):
            while rig.random.random() < stall:
                await (rig.read_any() if rig.rows else rig.cycle())
            await rig.write(group, lane, index)
    for group in range(-(-src // config.src_lanes)):
        for chunk in range(chunks):
            await rig.cycle(read=(group, chunk))
    await rig.cycle()
    await rig.cycle()


@cocotb.test()
async def tiles(dut: object) -> None:
    """Whole and partial tiles of rows of every length, back to back and with gaps."""
    rig = Rig(dut)
    await rig.bench.reset()
    config = rig.config
    most = config.max_chunks
    for number, chunks in enumerate([most, *{1, min(3, most), most // 2, most - 1} - {0}, most]):
        for src in {1, config.src_lanes, config.resident_src - 1, config.resident_src} - {0}:
            before = rig.checked
            await tile(rig, src, chunks, (0.0, 0.5)[number % 2])
            assert rig.checked - before >= src * chunks


@cocotb.test()
async def parts_anywhere(dut: object) -> None:
    """Parts in any order change what they hold and nothing else."""
    rig = Rig(dut, seed=1)
    await rig.bench.reset()
    config, pick = rig.config, rig.random
    for _ in range(2000):
        if pick.random() < 0.5 or not rig.rows:
            parts = config.max_chunks // rig.width
            place = pick.randrange(config.src_groups), pick.randrange(config.src_lanes)
            await rig.write(*place, pick.randrange(parts))
        else:
            await rig.read_any()


@pytest.mark.parametrize("name", CONFIGS)
def test_src_rows(name: str) -> None:
    config = CONFIGS[name]
    assert SrcRows(config).word.shape().elem_shape == chunk_word(config)
    assert src_skew(config).width == WIDTHS[name]
    simulate(
        Scratched(config, SrcRows(config)), __name__, f"src_rows_{name.replace('-', '_')}",
        given=config.as_dict(),
    )  # fmt: skip
