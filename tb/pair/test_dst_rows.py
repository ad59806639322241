"""Dst rows: parts written and words read in the same cycles, against a ring in plain Python."""

import random
from dataclasses import replace
from typing import Any

import cocotb
import pytest

from hw.config import LEVEL_BITS, PRESETS, EngineConfig
from hw.pair.dst_rows import DstRows, dst_part, dst_skew, ring_words
from tb.layouts import decode_words, encode
from tb.runner import parameters, simulate
from tb.streams import Bench, set_value, unsigned

TINY = PRESETS["tiny"]
CONFIGS = {
    "one": replace(TINY, dst_lanes=1),
    "three": replace(TINY, dst_lanes=3, channel_lanes=16, bus_bytes=32),
    "four": replace(TINY, dst_lanes=4),
    "six-wide": replace(TINY, dst_lanes=6, channel_lanes=32, bus_bytes=32, max_channels=128),
}
WIDTHS = {"one": 1, "three": 1, "four": 4, "six-wide": 2}
Word = tuple[int, int]
"""An address and a lane."""


class Rig:
    """A `DstRows`, what its ring must hold, and the reads under way."""

    def __init__(self, dut: Any, seed: int = 0):
        self.config = EngineConfig(**parameters())
        self.width = dst_skew(self.config).width
        self.words = ring_words(self.config)
        self.bench = Bench(dut)
        self.dut = dut
        self.ring: dict[Word, int] = {}
        self.random = random.Random(seed)
        self.checked = 0
        self._asked: dict[int, int] = {}
        dut.part__valid.value = 0

    async def cycle(self, read: int, part: Word | None = None) -> None:
        """Read an address and write a part of random chunks; compare the word asked before."""
        lanes = range(self.config.dst_lanes)
        held = {lane: self.ring[read, lane] for lane in lanes if (read, lane) in self.ring}
        self.dut.part__valid.value = int(part is not None)
        set_value(self.dut.address, read)
        if part is not None:
            address, lane = part
            chunks = [self.random.getrandbits(self.config.chunk_bits) for _ in range(self.width)]
            content = [
                decode_words(LEVEL_BITS, chunk, self.config.channel_lanes) for chunk in chunks
            ]
            payload = {"address": address, "lane": lane, "chunks": content}
            set_value(self.dut.part__payload, encode(dst_part(self.config), payload))
            for offset, chunk in enumerate(chunks):
                self.ring[address + offset, lane] = chunk
            if address <= read < address + self.width:
                held.pop(lane, None)
        await self.bench.cycles()
        asked, self._asked = self._asked, held
        found = decode_words(
            self.config.chunk_bits, unsigned(self.dut.word.value), self.config.dst_lanes
        )
        for lane, wanted in asked.items():
            assert found[lane] == wanted, f"lane {lane}"
            self.checked += 1


@cocotb.test()
async def rows_of_tiles(dut: object) -> None:
    """Tile after tile round the ring, a part a cycle, while the tile before is read."""
    rig = Rig(dut)
    await rig.bench.reset()
    config = rig.config
    for chunks in (config.max_chunks, config.max_chunks - 1, 1):
        stride = -(-chunks // rig.width) * rig.width
        places = range(0, rig.words - stride + 1, stride)
        before = rig.checked
        for number, first in enumerate(places):
            read = places[number - 1]
            parts = [
                (first + offset, lane)
                for lane in range(config.dst_lanes)
                for offset in range(0, stride, rig.width)
            ]
            for cycle, part in enumerate(parts):
                await rig.cycle(read + cycle % chunks, part)
        for address in range(places[-1] + stride):
            await rig.cycle(address)
        assert rig.checked - before >= (places[-1] + stride) * config.dst_lanes - 2


@cocotb.test()
async def parts_anywhere(dut: object) -> None:
    """Parts in any order, at any address of theirs, change what they hold and nothing else."""
    rig = Rig(dut, seed=1)
    await rig.bench.reset()
    pick = rig.random
    for _ in range(3000):
        address = rig.width * pick.randrange(rig.words // rig.width)
        part = address, pick.randrange(rig.config.dst_lanes)
        await rig.cycle(pick.randrange(rig.words), part if pick.random() < 0.5 else None)
    assert rig.checked > 2000 * rig.config.dst_lanes


@pytest.mark.parametrize("name", CONFIGS)
def test_dst_rows(name: str) -> None:
    config = CONFIGS[name]
    assert dst_skew(config).width == WIDTHS[name]
    simulate(
        DstRows(config), __name__, f"dst_rows_{name.replace('-', '_')}", given=config.as_dict()
    )
