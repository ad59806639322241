"""The pair writer against plain Python: records, pushes, L, and the cycles of each."""

import random
from collections import deque
from dataclasses import dataclass, replace
from itertools import pairwise

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from hw.config import PRESETS, RECORD_BITS, EngineConfig
from hw.pair.min_tree import nearest
from hw.pair.pair_writer import BUFFERED_TILES, PairWriter
from hw.words import link, pair_record
from tb.jobs import ADDRESS, MEMORY_BYTES
from tb.layouts import decode, to_bytes
from tb.memory import LATENCY, Memory, WriteMemory
from tb.runner import parameters, simulate
from tb.streams import Bench, Lookup, Sink, Source, Watch

CONFIGS = {
    "tiny": PRESETS["tiny"],
    "demo": PRESETS["demo"],
    "one-src-lane": replace(PRESETS["tiny"], src_lanes=1),
}


@dataclass
class Pairs:
    """What a pairing found: of each src its token, its slot and their distance."""

    src: list[int]
    slot: list[int]
    distance: list[int]
    dst: list[int]

    def beats(self, config: EngineConfig) -> bytes:
        """The records region, ones behind the last record of a beat."""
        records = [
            {"dst": self.dst[slot], "src": src, "loss": loss}
            for src, slot, loss in zip(self.src, self.slot, self.distance, strict=True)
        ]
        pad = -len(records) % config.records_per_beat
        return to_bytes(pair_record(), records) + b"\xff" * (RECORD_BITS // 8 * pad)


def random_pairs(config: EngineConfig, num_src: int, num_dst: int, pick: random.Random) -> Pairs:
    """Any tokens, slots and distances; sometimes every distance is the largest."""
    top = (1 << config.distance_bits) - 1
    low = top if pick.random() < 0.3 else 0
    tokens = pick.sample(range(config.max_tokens), num_src + num_dst)
    return Pairs(
        src=sorted(tokens[:num_src]),
        slot=[pick.randrange(num_dst) for _ in range(num_src)],
        distance=[pick.randint(low, top) for _ in range(num_src)],
        dst=tokens[num_src:],
    )


class Rig:
    """A `PairWriter` with its memory, dst table, src queue and min tree, all played by Python."""

    def __init__(self, bench: Bench, *, stall: float = 0.0):
        self.config = EngineConfig(**parameters())
        self.bench = bench
        self.dut = bench.dut
        self.memory = Memory(MEMORY_BYTES)
        self.dst: list[int] = []
        self.started = Watch(bench, "run__start")
        self.done = Watch(bench, "run__done")
        self._stall = stall
        self._tiles: deque[list[dict[str, int]]] = deque()
        self._under_way = 0
        self._random = random.Random(f"{stall} tiles")
        self._connect()
        self.dut.run__start.value = self.dut.best__valid.value = 0
        Lookup(bench, "dst", lambda s: self.dst[s] if s < len(self.dst) else 0)
        cocotb.start_soon(self._feed())

    def _connect(self) -> None:
        self.writer = WriteMemory(
            self.bench, "write", self.config, self.memory, stall=self._stall, seed=1
        )
        self.src = Source(self.bench, "src", stall=self._stall, seed=2)
        self.best = Source(self.bench, "best", PairWriter(self.config).best.payload.shape())
        self.pushes = Sink(self.bench, "push", link(self.config), stall=self._stall, seed=3)
        self._under_way = 0
        self._tiles.clear()

    async def reset(self) -> None:
        """Reset the component, and all that surrounds it."""
        for part in (self.writer, self.src, self.best, self.pushes):
            part.stop()
        await self.bench.reset()
        self._connect()

    async def _feed(self) -> None:
        """Send src tiles as they come, never more than `BUFFERED_TILES` ahead."""
        while True:
            await RisingEdge(self.dut.clk)
            if not self.dut.rst.value:
                self._under_way -= int(self.dut.taken.value)
            while self._tiles and self._under_way < BUFFERED_TILES:
                if self._random.random() < self._stall:
                    break
                self.best.put([self._tiles.popleft()])
                self._under_way += 1

    async def start(self, pairs: Pairs) -> None:
        """Start, and queue the tiles; lanes beyond the last src hold rubbish."""
        config, lanes = self.config, self.config.src_lanes
        self.dst = pairs.dst
        self.dut.num_src.value = len(pairs.src)
        self.dut.records_address.value = ADDRESS["RECORDS"]
        await self.bench.start()
        self.src.put(pairs.src)
        entries = [
            {"slot": slot, "distance": distance}
            for slot, distance in zip(pairs.slot, pairs.distance, strict=True)
        ]
        ones = decode(nearest(config), ~0)
        entries += [ones] * (-len(entries) % lanes)
        for base in range(0, len(entries), lanes):
            self._tiles.append(entries[base : base + lanes])

    async def run(self, pairs: Pairs) -> None:
        """One job; compare the pushes, L, and memory in the cycle of done."""
        pushed, finished = len(self.pushes.taken), len(self.done.cycles)
        expected = pairs.beats(self.config)
        begin, end = ADDRESS["RECORDS"], ADDRESS["RECORDS"] + len(expected)
        after = self.memory.read(end, 4 * self.config.bus_bytes)
        await self.start(pairs)
        await self.bench.done(50_000)
        assert self.memory.read(begin, len(expected)) == expected
        assert self.memory.read(end, len(after)) == after
        assert int(self.dut.loss.value.to_unsigned()) == sum(pairs.distance)
        assert self.pushes.values[pushed:] == [
            {"slot": slot, "src": src} for slot, src in zip(pairs.slot, pairs.src, strict=True)
        ]
        await RisingEdge(self.dut.clk)
        assert len(self.done.cycles) == finished + 1


def jobs(config: EngineConfig, pick: random.Random) -> list[Pairs]:
    """Every length around a tile and a beat, then many src and a single slot."""
    around = 2 * max(config.src_lanes, config.records_per_beat) + 1
    most = min(config.max_tokens, 300)
    sizes = [(n, pick.randint(1, 9)) for n in range(1, around + 1)]
    sizes += [(most - 1, 1), (most - config.max_dst // 2, config.max_dst // 2)]
    return [random_pairs(config, max(1, n), m, pick) for n, m in sizes if n > 0]


@cocotb.test()
async def records(dut: object) -> None:
    """Jobs one after another."""
    rig, pick = Rig(Bench(dut)), random.Random(1)
    await rig.bench.reset()
    for pairs in jobs(rig.config, pick):
        await rig.run(pairs)


@cocotb.test()
async def records_with_stalls(dut: object) -> None:
    """The same with stalls of memory, src, tiles and links."""
    rig, pick = Rig(Bench(dut), stall=0.5), random.Random(2)
    await rig.bench.reset()
    for pairs in jobs(rig.config, pick):
        await rig.run(pairs)


@cocotb.test()
async def cycles_of_a_pair_and_a_beat(dut: object) -> None:
    """Links that take a push at once show it: a push a cycle, and two cycles more each beat."""
    rig, pick = Rig(Bench(dut)), random.Random(3)
    await rig.bench.reset()
    config = rig.config
    pairs = random_pairs(config, 5 * config.records_per_beat + 1, 3, pick)
    await rig.run(pairs)
    cycles = [cycle for cycle, _ in rig.pushes.taken]
    steps = [later - earlier for earlier, later in pairwise(cycles)]
    per_beat = config.records_per_beat
    assert steps == [3 if (n + 1) % per_beat == 0 else 1 for n in range(len(steps))]
    # The last beat goes two cycles after the last push, and lands a latency later.
    assert rig.writer.beats[-1][0] == cycles[-1] + 2
    assert LATENCY <= rig.done.cycles[0] - rig.writer.beats[-1][0] <= LATENCY + 2


@cocotb.test()
async def reset_in_mid_run(dut: object) -> None:
    """After a reset at any time nothing of the run before is left."""
    rig, pick = Rig(Bench(dut)), random.Random(4)
    await rig.bench.reset()
    for cycles in [1, 2, 3, 4, 5, 6, 7, 20]:
        await rig.start(random_pairs(rig.config, 30, 3, pick))
        await rig.bench.cycles(cycles)
        await rig.reset()
        finished = len(rig.done.cycles)
        await rig.bench.cycles(3)
        assert len(rig.done.cycles) == finished
        await rig.run(random_pairs(rig.config, 11, 4, pick))


@pytest.mark.parametrize("name", CONFIGS)
def test_pair_writer(name: str) -> None:
    config = CONFIGS[name]
    simulate(
        PairWriter(config),
        __name__,
        f"pair_writer_{name.replace('-', '_')}",
        given=config.as_dict(),
    )
