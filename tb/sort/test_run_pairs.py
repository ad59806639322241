"""The walk over a pass's pairs of runs against slicing a list, and its pace."""

import random
from dataclasses import replace
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from hw.config import PRESETS, EngineConfig
from hw.sort.run_pairs import RunPairs
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink

PACE = 4
CONFIG = replace(PRESETS["tiny"], max_tokens=128)


def sliced(beats: int, stride: int, keep: int) -> list[dict[str, int]]:
    """Each pair, by cutting the list of beats itself."""
    whole = list(range(beats))
    pairs = []
    for offset in range(0, beats, 2 * stride):
        a = whole[offset : offset + stride][:keep]
        b = whole[offset + stride : offset + 2 * stride][:keep]
        pairs.append({"offset": offset, "a": len(a), "b": len(b), "out": len((a + b)[:keep])})
    return [pair | {"last": int(pair is pairs[-1])} for pair in pairs]


@cocotb.test()
async def walks(dut: Any) -> None:
    """Every stride of lists of many lengths, cut anywhere, and a consumer that stalls or not."""
    config = EngineConfig(**parameters())
    layout, pick = RunPairs(config).pair.payload.shape(), random.Random(3)
    bench = Bench(dut)
    dut.start.value = 0
    for stall in (0.0, 0.6):
        sink = Sink(bench, "pair", layout, stall=stall, seed=1)
        await bench.reset()
        for _ in range(80):
            beats = pick.randint(1, config.list_beats)
            stride = 1 << pick.randrange(beats.bit_length())
            keep = pick.choice([1, beats, pick.randint(1, beats)])
            expected = sliced(beats, stride, keep)
            at = len(sink.taken)
            dut.beats.value, dut.stride.value, dut.keep.value = beats, stride, keep
            dut.start.value = 1
            await RisingEdge(dut.clk)
            dut.start.value = 0
            await sink.wait(at + len(expected))
            await bench.cycles(PACE + 2)
            assert sink.values[at:] == expected
            if not stall:
                cycles = [cycle for cycle, _ in sink.taken[at:]]
                assert cycles == [cycles[0] + PACE * i for i in range(len(expected))]
        sink.stop()


def test_run_pairs() -> None:
    simulate(RunPairs(CONFIG), __name__, "run_pairs", given=CONFIG.as_dict())
