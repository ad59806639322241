"""The dst loader: every tile of a list, and its rows in the ring until it is freed."""

import random
from dataclasses import dataclass, replace
from typing import Any

import cocotb
import pytest
import torch
from cocotb.triggers import RisingEdge

from hw.config import DST_WORD_BITS, PRESETS, EngineConfig
from hw.pair.dst_loader import MOST_TILES, DstLoader, dst_tile
from hw.pair.dst_rows import dst_part, dst_skew, ring_words
from hw.words import dst_word
from tb.jobs import ADDRESS, MEMORY_BYTES, Sizes, random_quantized, row_bytes
from tb.layouts import decode, to_bytes
from tb.memory import Memory, ReadMemory
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, set_value

TINY = PRESETS["tiny"]
CONFIGS = {
    "one": replace(TINY, dst_lanes=1, channel_lanes=16),
    "two": replace(TINY, max_channels=128),
    "three": replace(TINY, dst_lanes=3, channel_lanes=32, bus_bytes=32, max_channels=192),
    "four": replace(TINY, dst_lanes=4, channel_lanes=16, bus_bytes=32, max_channels=256),
}


@dataclass
class List:
    """A list of slots and their tokens, and how many tiles of their rows the ring holds."""

    sizes: Sizes
    slots: list[int]
    tokens: list[int]
    address: int
    room: int

    @property
    def tiles(self) -> list[list[int]]:
        """Places in the list, tile by tile."""
        lanes = self.sizes.config.dst_lanes
        places = list(range(len(self.slots)))
        return [places[first : first + lanes] for first in range(0, len(places), lanes)]


def stride(config: EngineConfig, chunks: int) -> int:
    """Words of a tile in the ring: whole parts."""
    width = dst_skew(config).width
    return -(-chunks // width) * width


class Rig:
    """A `DstLoader` with its memory and its ring, whose tiles the test takes and frees."""

    def __init__(self, dut: Any, *, stall: float = 0.0, latency: int = 30, seed: int = 0):
        self.config = EngineConfig(**parameters())
        self.width = dst_skew(self.config).width
        self.bench = Bench(dut)
        self.dut = dut
        self.memory = Memory(MEMORY_BYTES)
        self.lists, self.rows = (
            ReadMemory(
                self.bench, name, self.config, self.memory, latency=latency, stall=stall, seed=seed
            )
            for name in ("read_list", "read_rows")
        )
        self.tile = Sink(self.bench, "tile", dst_tile(self.config), stall=stall, seed=seed)
        self.random = random.Random(f"{stall} {latency} {seed}")
        self.ring: dict[tuple[int, int], list[int]] = {}
        self.parts: list[int] = []
        self._stall = stall
        self._task = cocotb.start_soon(self._write())
        for name in ("begin", "start", "free"):
            getattr(dut, name).value = 0

    def stop(self) -> None:
        """Stop every neighbour, as on a reset."""
        for each in (self.lists, self.rows, self.tile):
            each.stop()
        self._task.cancel()

    async def _write(self) -> None:
        """Keep what the parts write into the ring."""
        dut, shape = self.dut, dst_part(self.config)
        while True:
            await RisingEdge(dut.clk)
            if dut.part__valid.value and not dut.rst.value:
                part = decode(shape, int(dut.part__payload.value.to_unsigned()))
                assert part["address"] % self.width == 0
                self.parts.append(self.bench.cycle)
                for offset, chunk in enumerate(part["chunks"]):
                    self.ring[part["address"] + offset, part["lane"]] = chunk

    async def pulse(self, name: str) -> None:
        """A cycle of the port ``name``."""
        port = getattr(self.dut, name)
        port.value = 1
        await self.bench.cycles()
        port.value = 0

    def load(self, sizes: Sizes, length: int, region: str = "DST") -> List:
        """Put rows and a list of so many of the slots into memory."""
        tokens = random_quantized(sizes, torch.Generator().manual_seed(sizes.channels))
        self.memory.load(ADDRESS["QUANTIZED"], row_bytes(sizes, tokens.q))
        self._levels = [row + [0] * self.config.max_channels for row in tokens.q.tolist()]
        new = List(
            sizes,
            sorted(self.random.sample(range(self.config.max_dst), length)),
            self.random.sample(range(sizes.tokens), length),
            ADDRESS[region] + self.config.bus_bytes * self.random.randrange(9),
            min(MOST_TILES, ring_words(self.config) // stride(self.config, sizes.chunks)),
        )
        words = [
            {"token": token, "slot": slot, "zero": 0, "zero_too": 0}
            for token, slot in zip(new.tokens, new.slots, strict=True)
        ]
        self.memory.load(new.address, to_bytes(dst_word(), words))
        set_value(self.dut.job, sizes.job())
        set_value(self.dut.address, new.address)
        set_value(self.dut.length, length)
        return new

    async def begin(self) -> None:
        """Tell of another list, and wait as long as it takes; the next cycle may start."""
        await self.pulse("begin")
        await self.bench.cycles(DstLoader.begin_latency - 1)

    def check_rows(self, listed: List, places: list[int], address: int) -> None:
        """The rows of a tile are in the ring."""
        for lane, place in enumerate(places):
            row, lanes = self._levels[listed.tokens[place]], self.config.channel_lanes
            for chunk in range(listed.sizes.chunks):
                wanted = row[chunk * lanes : (chunk + 1) * lanes]
                assert self.ring[address + chunk, lane] == wanted, f"chunk {chunk} of lane {lane}"

    async def _start_again(self, listed: List, runs: int) -> None:
        """Start each run but the first in the cycle after the last tile before was offered."""
        before = len(self.tile.taken)
        for number in range(1, runs):
            last, taken, offered = before + number * len(listed.tiles) - 1, 0, False
            while not offered or taken != last:
                await self.bench.cycles()
                offered = bool(self.dut.tile__valid.value)
                taken = sum(cycle < self.bench.cycle for cycle, _ in self.tile.taken)
            await self.pulse("start")

    async def run(self, listed: List, *, held: int = 1, runs: int = 1) -> None:
        """Runs over the list, ``held`` tiles taken before the first is freed."""
        lists, rows = len(self.lists.requests), len(self.rows.requests)
        before, taken = len(self.tile.taken), []
        await self.pulse("start")
        again = cocotb.start_soon(self._start_again(listed, runs))
        for number, places in enumerate(runs * listed.tiles):
            await self.tile.wait(before + number + 1, limit=5000)
            tile = decode(dst_tile(self.config), self.tile.taken[before + number][1])
            assert tile["slots"][: len(places)] == [listed.slots[place] for place in places]
            assert tile["lanes"] == len(places)
            assert tile["last"] == (places == listed.tiles[-1])
            assert tile["address"] % self.width == 0
            self.check_rows(listed, places, tile["address"])
            taken.append((places, tile["address"]))
            if len(taken) >= min(held, listed.room):
                await self.free(listed, *taken.pop(0))
        for each in taken:
            await self.free(listed, *each)
        await again
        beats = -(-len(listed.slots) * DST_WORD_BITS // self.config.bus_bits)
        step, row = self.config.bus_bytes, listed.sizes.row_beats
        assert [each[1:] for each in self.lists.requests[lists:]] == runs * [
            (listed.address + step * beat, 1) for beat in range(beats)
        ]
        assert [each[1:] for each in self.rows.requests[rows:]] == runs * [
            (ADDRESS["QUANTIZED"] + token * row * step, row) for token in listed.tokens
        ]

    async def free(self, listed: List, places: list[int], address: int) -> None:
        """After a while free a tile, whose rows have stayed."""
        if self.random.random() < self._stall:
            await self.bench.cycles(self.random.randint(1, 80))
        self.check_rows(listed, places, address)
        await self.pulse("free")


def sizes_of(config: EngineConfig) -> list[tuple[Sizes, list[int]]]:
    """Rows of every length, and lists round the length of tiles and beats."""
    lanes, most, chunk = config.dst_lanes, config.max_channels, config.channel_lanes
    tokens, slots = config.max_tokens, config.max_dst
    # The longest rows whose tiles do not fill the ring.
    odd = max(n for n in range(config.max_chunks) if n and ring_words(config) % stride(config, n))
    return [
        (Sizes(config, tokens, 1, slots), [1, slots]),
        (Sizes(config, tokens, chunk + 1, slots), [2, 2 * lanes + 1]),
        (Sizes(config, tokens, most, slots), [1, lanes, lanes + 1, slots - 1]),
        (Sizes(config, tokens, odd * chunk, slots), [3 * lanes, slots - 1]),
    ]


async def check(dut: object, stall: float, latency: int) -> None:
    """List after list, and each of them several times."""
    rig = Rig(dut, stall=stall, latency=latency)
    await rig.bench.reset()
    for sizes, lengths in sizes_of(rig.config):
        for number, length in enumerate(lengths):
            listed = rig.load(sizes, length, ("DST", "MOVED")[number % 2])
            await rig.begin()
            for held, runs in ((1, 1), (MOST_TILES, 2), (2, 3)):
                await rig.run(listed, held=held, runs=runs)


@cocotb.test()
async def every_list(dut: object) -> None:
    """Memory answers as fast as it can, and tiles are taken at once."""
    await check(dut, 0.0, 1)


@cocotb.test()
async def every_list_with_stalls(dut: object) -> None:
    """Memory stalls, tiles are taken and freed late."""
    await check(dut, 0.3, 12)


@cocotb.test()
async def as_many_tiles_as_fit(dut: object) -> None:
    """While none is freed the ring is filled and no more is asked for; no beat waits."""
    for sizes, _ in sizes_of(EngineConfig(**parameters())):
        rig = Rig(dut)
        await rig.bench.reset()
        listed = rig.load(sizes, rig.config.max_dst)
        lanes = rig.config.dst_lanes
        await rig.begin()
        await rig.pulse("start")
        await rig.bench.cycles(500)
        room = min(listed.room, len(listed.tiles))
        assert 2 <= listed.room <= MOST_TILES
        assert len(rig.tile.taken) == room
        assert len(rig.rows.requests) == min(room * lanes, len(listed.slots))
        for reader in (rig.rows, rig.lists):
            assert len(reader.sent) == sum(beats for _, _, beats in reader.requests)
        # Each tile that is freed makes room for one.
        asked = len(rig.rows.requests)
        await rig.pulse("free")
        await rig.bench.cycles(400)
        more = min(lanes, len(listed.slots) - asked)
        assert len(rig.rows.requests) == asked + more
        rig.stop()


@cocotb.test()
async def parts_without_a_gap(dut: object) -> None:
    """A row takes ceil(chunks / W) cycles, and the rows of a ring of tiles follow one another."""
    rig = Rig(dut, latency=1)
    await rig.bench.reset()
    config = rig.config
    sizes = Sizes(config, config.max_tokens, config.max_channels, config.max_dst)
    listed = rig.load(sizes, config.max_dst)
    await rig.begin()
    await rig.pulse("start")
    await rig.bench.cycles(600)
    per_row = -(-sizes.chunks // rig.width)
    assert len(rig.parts) == listed.room * config.dst_lanes * per_row
    assert rig.parts == list(range(rig.parts[0], rig.parts[0] + len(rig.parts)))


@cocotb.test()
async def reset_in_mid_run(dut: object) -> None:
    """After a reset at any time nothing of the run before is left."""
    rig = Rig(dut)
    await rig.bench.reset()
    config = rig.config
    sizes = Sizes(config, 40, config.max_channels, config.max_dst)
    for cycles in (0, 12, 33, 36, 64, 67, 111):
        rig.load(sizes, config.max_dst)
        await rig.begin()
        await rig.pulse("start")
        await rig.bench.cycles(cycles)
        rig.stop()
        await rig.bench.reset()
        rig = Rig(dut, seed=cycles)
        listed = rig.load(sizes, 2 * config.dst_lanes + 1)
        await rig.begin()
        await rig.run(listed)


@pytest.mark.parametrize("name", CONFIGS)
def test_dst_loader(name: str) -> None:
    config = CONFIGS[name]
    simulate(DstLoader(config), __name__, f"dst_loader_{name}", given=config.as_dict())
