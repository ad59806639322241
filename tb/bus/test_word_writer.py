"""The word writer against a bytearray: which bytes each word changes, their order, and cycles."""

import random
from dataclasses import replace
from typing import Any

import cocotb
import pytest

from hw.bus.client import Request, WriteBeat
from hw.bus.word_writer import WordWriter, written_word
from hw.config import ENTRY_BITS, PRESETS, EngineConfig
from tb.memory import Memory, WriteMemory
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, Source

TINY = PRESETS["tiny"]
CONFIGS = {
    f"bus_{size}": replace(TINY, bus_bytes=size, max_channels=256, address_bits=bits)
    for size, bits in ((16, 40), (32, 16), (64, 33), (128, 64))
}
WORD_BYTES = ENTRY_BITS // 8
MEMORY = 1024

Word = dict[str, int]


def random_words(count: int, seed: int, end: int = MEMORY) -> list[Word]:
    """Words of both sizes; every other one lies near the one before, or where it lies."""
    rng = random.Random(seed)
    words: list[Word] = []
    for _ in range(count):
        half = rng.random() < 0.5
        size = WORD_BYTES // 2 if half else WORD_BYTES
        near = rng.random() < 0.5 and words
        place = words[-1]["address"] + rng.randrange(-2, 3) * size if near else rng.randrange(end)
        address = min(max(place, 0), end - size) // size * size
        words.append({"address": address, "data": rng.getrandbits(ENTRY_BITS), "half": int(half)})
    return words


def written(content: bytes, words: list[Word]) -> bytes:
    """``content`` after the words were written to it, one after another."""
    after = bytearray(content)
    for word in words:
        size = WORD_BYTES // 2 if word["half"] else WORD_BYTES
        data = word["data"].to_bytes(WORD_BYTES, "little")[:size]
        after[word["address"] : word["address"] + size] = data
    return bytes(after)


class Rig:
    """A `WordWriter` and its memory."""

    def __init__(self, bench: Bench, *, stall: float = 0.0):
        self.bench = bench
        self.config = EngineConfig(**parameters())
        self.memory = Memory(MEMORY, seed=3)
        self._stall = stall
        self._connect()

    def _connect(self) -> None:
        shape = written_word(self.config)
        self.source = Source(self.bench, "word", shape, stall=self._stall, seed=1)
        self.writer = WriteMemory(
            self.bench, "write", self.config, self.memory, latency=9, stall=self._stall, seed=2
        )

    async def reset(self) -> None:
        """Reset the component, and its neighbours with it."""
        self.source.stop()
        self.writer.stop()
        await self.bench.reset()
        self._connect()

    async def run(self, words: list[Word]) -> None:
        """Write the words; memory and requests must be right when memory is idle."""
        requested = len(self.writer.requests)
        expected = written(bytes(self.memory.bytes), words)
        self.source.put(words)
        await self.source.drain()
        while not self.bench.dut.write__idle.value:
            await self.bench.cycles()
        assert bytes(self.memory.bytes) == expected
        step = self.config.bus_bytes
        assert [(address, beats) for _, address, beats in self.writer.requests[requested:]] == [
            (word["address"] // step * step, 1) for word in words
        ]


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.3, 0.8])
async def any_words(dut: Any, stall: float) -> None:
    """Words of both sizes at any address; the later of two at one place is what stays."""
    rig = Rig(Bench(dut), stall=stall)
    await rig.bench.reset()
    for seed in range(4):
        await rig.run(random_words(60, seed))


@cocotb.test()
async def each_place_of_a_beat(dut: Any) -> None:
    """A word alone changes its own bytes, wherever in a beat it lies."""
    rig = Rig(Bench(dut))
    await rig.bench.reset()
    for half in (0, 1):
        size = WORD_BYTES // 2 if half else WORD_BYTES
        for place in range(2 * rig.config.bus_bytes // size):
            data = random.Random(place).getrandbits(ENTRY_BITS)
            await rig.run([{"address": place * size, "data": data, "half": half}])


@cocotb.test()
async def a_word_a_cycle(dut: Any) -> None:
    """In the cycle in which it is offered, where memory takes its request and beat at once."""
    bench = Bench(dut)
    config = EngineConfig(**parameters())
    source = Source(bench, "word", written_word(config))
    requests = Sink(bench, "write__request", Request(config))
    beats = Sink(bench, "write__beat", WriteBeat(config))
    await bench.reset()
    # The highest addresses that there are.
    top = (1 << config.address_bits) - MEMORY
    words = [word | {"address": word["address"] + top} for word in random_words(40, 7)]
    source.put(words)
    await source.drain()
    cycles = [cycle for cycle, _ in source.sent]
    assert cycles == list(range(cycles[0], cycles[0] + len(words)))
    assert [cycle for cycle, _ in requests.taken] == cycles
    assert [cycle for cycle, _ in beats.taken] == cycles
    step = config.bus_bytes
    assert requests.values == [
        {"address": word["address"] // step * step, "beats": 1} for word in words
    ]
    assert [beat["strobe"].bit_count() for beat in beats.values] == [
        8 if word["half"] else 16 for word in words
    ]


@cocotb.test()
@cocotb.parametrize(first=["request", "beat"])
async def either_taken_first(dut: Any, first: str) -> None:
    """A word whose request or beat is taken long before the other is sent once."""
    bench = Bench(dut)
    config = EngineConfig(**parameters())
    source = Source(bench, "word", written_word(config))
    stalls = {"request": 0.9, "beat": 0.9} | {first: 0.0}
    requests = Sink(bench, "write__request", Request(config), stall=stalls["request"], seed=4)
    beats = Sink(bench, "write__beat", WriteBeat(config), stall=stalls["beat"], seed=5)
    await bench.reset()
    words = random_words(30, 8)
    source.put(words)
    await source.drain()
    await bench.cycles(5)
    step = config.bus_bytes
    assert [each["address"] for each in requests.values] == [
        word["address"] // step * step for word in words
    ]
    assert len(beats.taken) == len(words)
    later = beats if first == "request" else requests
    assert [cycle for cycle, _ in source.sent] == [cycle for cycle, _ in later.taken]


@cocotb.test()
async def reset_in_mid_run(dut: Any) -> None:
    """After a reset at any time nothing of the words before is left."""
    rig = Rig(Bench(dut), stall=0.4)
    await rig.bench.reset()
    for cycles in (1, 2, 3, 4, 7, 20):
        rig.source.put(random_words(30, cycles))
        await rig.bench.cycles(cycles)
        await rig.reset()
        await rig.run(random_words(10, 50 + cycles))


@pytest.mark.parametrize("name", CONFIGS)
def test_word_writer(name: str) -> None:
    config = CONFIGS[name]
    simulate(WordWriter(config), __name__, f"word_writer_{name}", given=config.as_dict())
