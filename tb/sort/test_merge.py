"""One merge pass against sorting each pair of runs, and the cycles that it takes."""

import random
from itertools import chain
from typing import Any

import cocotb
import pytest

from hw.config import PRESETS, RECORD_BITS, EngineConfig
from hw.sort.merge import Merger
from tb.layouts import from_bytes, to_bytes
from tb.memory import Memory, ReadMemory, WriteMemory
from tb.runner import parameters, simulate
from tb.streams import Bench, set_value

RECORD_BYTES = RECORD_BITS // 8
BEATS = 64
CONFIGS = {"tiny": PRESETS["tiny"], "demo": PRESETS["demo"]}


async def merge_pass(
    dut: Any, bench: Bench, memory: Memory, beats: int, stride: int, keep: int
) -> int:
    """Run a pass on random sorted runs at 0, check the runs it leaves; returns its cycles."""
    config = EngineConfig(**parameters())
    per_beat, pick = config.records_per_beat, random.Random(f"{beats} {stride} {keep}")
    run = min(stride, keep) * per_beat
    target = BEATS * config.bus_bytes
    bits = pick.choice([2, 64])
    starts = range(0, beats * per_beat, stride * per_beat)
    runs = [
        sorted(pick.getrandbits(bits) for _ in range(min(run, beats * per_beat - at)))
        for at in starts
    ]
    for at, records in zip(starts, runs, strict=True):
        memory.load(at * RECORD_BYTES, to_bytes(RECORD_BITS, records))
    before = bytes(memory.bytes)

    for port, value in (
        ("beats", beats), ("stride", stride), ("keep", keep), ("read_address", 0),
        ("write_address", target),
    ):  # fmt: skip
        set_value(getattr(dut, port), value)
    await bench.start()
    started = bench.cycle
    await bench.done(20_000)

    expected = bytearray(before)
    for at, first in zip(starts[::2], range(0, len(runs), 2), strict=True):
        merged = sorted(chain(*runs[first : first + 2]))[: keep * per_beat]
        content = to_bytes(RECORD_BITS, merged)
        begin = target + at * RECORD_BYTES
        expected[begin : begin + len(content)] = content
    got, want = (from_bytes(RECORD_BITS, bytes(each)) for each in (memory.bytes, expected))
    assert got == want, (beats, stride, keep)
    return bench.cycle - started


async def passes(dut: Any, cases: list[tuple[int, int, int]], **given: Any) -> list[int]:
    """Cycles of each (beats, stride, keep)."""
    config = EngineConfig(**parameters())
    bench = Bench(dut)
    dut.run__start.value = 0
    memory = Memory(2 * BEATS * config.bus_bytes)
    for name in ("read_a", "read_b"):
        ReadMemory(bench, name, config, memory, seed=5, **given)
    WriteMemory(bench, "write", config, memory, seed=6, **given)
    await bench.reset()
    return [await merge_pass(dut, bench, memory, *case) for case in cases]


@cocotb.test()
@cocotb.parametrize(latency=[1, 100])
async def whole_runs(dut: Any, latency: int) -> None:
    """A record a cycle and `Merger.pair_overhead` a pair: memory is waited for only once."""
    per_beat = EngineConfig(**parameters()).records_per_beat
    cases = [(BEATS, stride, BEATS) for stride in (4, 8, 32)] + [(BEATS - 8, 16, BEATS)]
    cycles = await passes(dut, cases, latency=latency)
    pairs = [-(-beats // (2 * stride)) for beats, stride, _ in cases]
    rest = [
        count - beats * per_beat - Merger.pair_overhead * pair
        for count, (beats, _, _), pair in zip(cycles, cases, pairs, strict=True)
    ]
    assert len(set(rest)) == 1
    # Twice the latency, and what starts and ends a pass.
    assert 2 * latency <= rest[0] <= 2 * latency + 8


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.5])
async def cut_runs(dut: Any, stall: float) -> None:
    """Runs cut anywhere, a last run of any length or alone, the rest of the others dropped."""
    pick = random.Random(2)
    cases = [(1, 1, 1), (3, 4, 1), (BEATS, 4, 1), (BEATS, 4, 3), (BEATS, 1, 1), (BEATS - 3, 2, 9)]
    for _ in range(12):
        beats = pick.randint(1, BEATS)
        cases.append((beats, 1 << pick.randrange(6), pick.randint(1, beats)))
    await passes(dut, cases, latency=7, stall=stall)


@pytest.mark.parametrize("name", CONFIGS)
def test_merge(name: str) -> None:
    config = CONFIGS[name]
    simulate(Merger(config), __name__, f"merge_{name}", given=config.as_dict())
