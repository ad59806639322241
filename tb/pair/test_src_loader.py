"""The src loader: whom a pass takes, their rows part by part, and the cycles of both."""

import random
from dataclasses import dataclass, replace
from typing import Any

import cocotb
import pytest
import torch
from amaranth.hdl import ShapeLike

from hw.config import ENTRY_BITS, PRESETS, EngineConfig
from hw.pair.src_loader import SrcLoader
from hw.pair.src_rows import known_src, row_part, src_skew
from hw.words import entry
from tb.jobs import ADDRESS, MEMORY_BYTES, Sizes, random_quantized, row_bytes
from tb.layouts import decode, to_bytes
from tb.memory import Memory, ReadMemory
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, Watch, set_value

TINY = PRESETS["tiny"]
CONFIGS = {
    "tiny": TINY,
    "one": replace(TINY, src_lanes=1, src_groups=1, channel_lanes=16),
    "six": replace(
        TINY, src_lanes=6, src_groups=3, channel_lanes=32, bus_bytes=32, max_channels=192
    ),
    "four": replace(TINY, src_lanes=4, src_groups=2, channel_lanes=16, bus_bytes=32),
}
Entry = dict[str, int]


@dataclass
class Tile:
    """What one tile was: its src as they were told, its parts, and the cycles of its ends."""

    known: list[tuple[int, Any]]
    parts: list[tuple[int, Any]]
    count: int
    next: int
    loaded: int


class Rig:
    """A `SrcLoader` with its memory; the test asks for tiles as the pairing does."""

    def __init__(self, dut: Any, *, stall: float = 0.0, latency: int = 30, seed: int = 0):
        self.config = EngineConfig(**parameters())
        self.width = src_skew(self.config).width
        self.bench = Bench(dut)
        self.dut = dut
        self.memory = Memory(MEMORY_BYTES)
        self.entries, self.rows = (
            ReadMemory(
                self.bench, name, self.config, self.memory, latency=latency, stall=stall, seed=seed
            )
            for name in ("read_entries", "read_rows")
        )
        self.known = Sink(self.bench, "known")
        self.part = Sink(self.bench, "part")
        self.found = Watch(self.bench, "found")
        self.loaded = Watch(self.bench, "loaded")
        self.random = random.Random(f"{stall} {latency} {seed}")
        self._stall = stall
        for name in ("start", "next", "moved", "every_pair"):
            getattr(dut, name).value = 0

    def stop(self) -> None:
        """Stop every neighbour, as on a reset."""
        for each in (self.entries, self.rows, self.known, self.part):
            each.stop()

    async def _pulse(self, name: str) -> None:
        port = getattr(self.dut, name)
        port.value = 1
        await self.bench.cycles()
        port.value = 0

    def load(self, sizes: Sizes, share: float) -> list[Entry]:
        """Put random rows and entries into memory, ``share`` of them dst, and as many full."""
        tokens = random_quantized(sizes, torch.Generator().manual_seed(sizes.channels))
        self.memory.load(ADDRESS["QUANTIZED"], row_bytes(sizes, tokens.q))
        entries = []
        for _ in range(sizes.tokens):
            word = {name: self.random.getrandbits(field.width) for name, field in entry()}
            word["is_dst"] = int(self.random.random() < share)
            word["full"] = int(self.random.random() < share)
            entries.append(word)
        self.memory.load(ADDRESS["ENTRIES"], to_bytes(entry(), entries))
        set_value(self.dut.job, sizes.job())
        self._levels = [row + [0] * self.config.max_channels for row in tokens.q.tolist()]
        return entries

    async def start(self, *, moved: bool, every_pair: bool) -> None:
        """Begin a pass."""
        self.dut.moved.value = int(moved)
        self.dut.every_pair.value = int(every_pair)
        for each in (self.entries.requests, self.rows.requests, self.known.taken, self.part.taken):
            each.clear()
        await self._pulse("start")

    async def tile(self) -> Tile:
        """Ask for a tile, wait until it is loaded, and check that it was found to have a src."""
        if self.random.random() < self._stall:
            await self.bench.cycles(self.random.randint(1, 60))
        known, parts = len(self.known.taken), len(self.part.taken)
        found, loaded = len(self.found.cycles), len(self.loaded.cycles)
        await self._pulse("next")
        asked = self.bench.cycle
        for _ in range(20_000):
            if len(self.loaded.cycles) > loaded:
                break
            await self.bench.cycles()
        count = int(self.dut.count.value)
        new = Tile(
            self._decoded(self.known, known_src(self.config), known),
            self._decoded(self.part, row_part(self.config), parts),
            count, asked, self.loaded.cycles[loaded],
        )  # fmt: skip
        assert int(self.dut.groups.value) == -(-count // self.config.src_lanes)
        assert self.found.cycles[found:] == [cycle for cycle, _ in new.known[:1]]
        return new

    @staticmethod
    def _decoded(sink: Sink, shape: ShapeLike, begin: int) -> list[tuple[int, Any]]:
        return [(cycle, decode(shape, word)) for cycle, word in sink.taken[begin:]]

    def parts_of(self, sizes: Sizes, tokens: list[int]) -> list[dict[str, Any]]:
        """The parts of a tile of these src; zeros stand behind a row's channels."""
        config, step = self.config, self.width * self.config.channel_lanes
        return [
            {
                "place": {"group": number // config.src_lanes, "lane": number % config.src_lanes},
                "index": index,
                "chunks": [
                    self._levels[token][first : first + config.channel_lanes]
                    for first in range(index * step, (index + 1) * step, config.channel_lanes)
                ],
            }
            for number, token in enumerate(tokens)
            for index in range(-(-sizes.chunks // self.width))
        ]

    async def run(
        self, sizes: Sizes, entries: list[Entry], *, moved: bool, every_pair: bool = False
    ) -> list[Tile]:
        """One pass over the entries; compare every tile of it, and the requests."""
        await self.start(moved=moved, every_pair=every_pair)
        wanted = [
            token for token, each in enumerate(entries)
            if not each["is_dst"] and ((every_pair and not moved) or each["full"] != moved)
        ]  # fmt: skip
        tiles, config = [], self.config
        for base in range(0, len(wanted) + 1, config.resident_src):
            tokens = wanted[base : base + config.resident_src]
            tiles.append(tile := await self.tile())
            assert tile.count == len(tokens)
            assert [told for _, told in tile.known] == [
                {"index": index, "token": token, "entry": entries[token]}
                for index, token in enumerate(tokens)
            ]
            assert [part for _, part in tile.parts] == self.parts_of(sizes, tokens)
            assert all(cycle < tile.loaded for cycle, _ in (*tile.known, *tile.parts))
            assert all(cycle > tile.next for cycle, _ in tile.parts)
        beats = -(-sizes.tokens * ENTRY_BITS // config.bus_bits)
        row = sizes.row_beats * config.bus_bytes
        assert self.entries.requests == [(self.entries.requests[0][0], ADDRESS["ENTRIES"], beats)]
        assert [(address, beats) for _, address, beats in self.rows.requests] == [
            (ADDRESS["QUANTIZED"] + token * row, sizes.row_beats) for token in wanted
        ]
        return tiles


def sizes_of(config: EngineConfig) -> list[Sizes]:
    """Token counts round those of tiles and beats, and rows of every length."""
    lanes, most = config.channel_lanes, config.max_channels
    resident = config.resident_src
    return [
        Sizes(config, 2, 1, 1),
        Sizes(config, 9, lanes + 1, 1),
        Sizes(config, 2 * resident, most, 1),
        Sizes(config, 2 * resident + 1, most - 1, 1),
        Sizes(config, config.max_tokens, min(most, 3 * lanes), 1),
    ]


async def check(dut: object, stall: float, latency: int) -> None:
    """Passes of every kind, back to back, over entries of which all, some or none are wanted."""
    rig = Rig(dut, stall=stall, latency=latency)
    await rig.bench.reset()
    for sizes in sizes_of(rig.config):
        for share in (0.0, 0.3, 1.0):
            entries = rig.load(sizes, share)
            await rig.run(sizes, entries, moved=True)
            await rig.run(sizes, entries, moved=False)
        await rig.run(sizes, rig.load(sizes, 0.5), moved=False, every_pair=True)
        await rig.run(sizes, rig.load(sizes, 0.5), moved=True, every_pair=True)


@cocotb.test()
async def every_pass(dut: object) -> None:
    """Memory answers as fast as it can."""
    await check(dut, 0.0, 1)


@cocotb.test()
async def every_pass_with_stalls(dut: object) -> None:
    """Memory stalls, and tiles are asked for late."""
    await check(dut, 0.5, 30)


@cocotb.test()
async def cycles_of_a_tile(dut: object) -> None:
    """An entry a cycle, a part a cycle, row after row; `loaded` follows the last of either."""
    rig = Rig(dut, latency=1)
    await rig.bench.reset()
    config = rig.config
    for share in (0.0, 0.6):
        sizes = Sizes(config, config.max_tokens, config.max_channels, 1)
        entries = rig.load(sizes, share)
        tiles = await rig.run(sizes, entries, moved=False, every_pair=True)
        for tile in tiles:
            if not tile.count:
                continue
            # The entries between two src take a cycle each.
            offsets = {cycle - told["token"] for cycle, told in tile.known}
            assert len(offsets) == 1
            cycles = [cycle for cycle, _ in tile.parts]
            per_row = -(-sizes.chunks // rig.width)
            assert len(cycles) == tile.count * per_row
            if share == 0.0:
                assert cycles == list(range(cycles[0], cycles[0] + len(cycles)))
            if tile.count == config.resident_src:
                assert tile.loaded == cycles[-1] + 1
    assert tiles[-1].loaded >= tiles[-1].next


@cocotb.test()
async def reset_in_mid_run(dut: object) -> None:
    """After a reset at any time nothing of the pass before is left."""
    rig = Rig(dut)
    await rig.bench.reset()
    sizes = Sizes(rig.config, 20, rig.config.max_channels, 3)
    for cycles in (0, 1, 2, 7, 31, 33, 36, 41, 60, 75):
        rig.load(sizes, 0.2)
        await rig.start(moved=False, every_pair=True)
        rig.dut.next.value = 1
        await rig.bench.cycles()
        rig.dut.next.value = 0
        await rig.bench.cycles(cycles)
        rig.stop()
        await rig.bench.reset()
        rig = Rig(dut, seed=cycles)
        await rig.run(sizes, rig.load(sizes, 0.2), moved=False, every_pair=True)


@pytest.mark.parametrize("name", CONFIGS)
def test_src_loader(name: str) -> None:
    config = CONFIGS[name]
    simulate(SrcLoader(config), __name__, f"src_loader_{name}", given=config.as_dict())
