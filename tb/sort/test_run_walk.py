"""The walk over a pass's runs against slicing a list, and its pace."""

import random
from dataclasses import replace
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from hw.config import PRESETS, EngineConfig
from hw.sort.run_walk import RunWalk
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, Watch, set_value

CONFIG = replace(PRESETS["tiny"], max_tokens=128)


def sliced(config: EngineConfig, address: int, beats: int, stride: int, limit: int) -> list[Any]:
    """Each run, by cutting the list of beats itself; as many odd runs as even ones."""
    whole = list(range(beats))
    starts = range(0, beats + (stride if -(-beats // stride) % 2 else 0), stride)
    return [
        {
            "address": address + start * config.bus_bytes,
            "beats": len(whole[start : start + stride][:limit]),
            "odd": number % 2,
            "last": int(number == len(starts) - 1),
        }
        for number, start in enumerate(starts)
    ]


@cocotb.test()
async def walks(dut: Any) -> None:
    """Every stride of lists of many lengths, cut anywhere, and a consumer that stalls or not."""
    config = EngineConfig(**parameters())
    layout, pick = RunWalk(config).run.payload.shape(), random.Random(3)
    bench = Bench(dut)
    start = Watch(bench, "start")
    dut.start.value = 0
    for stall in (0.0, 0.6):
        sink = Sink(bench, "run", layout, stall=stall, seed=1)
        await bench.reset()
        await bench.cycles(2)  # The sink is ready from now on, where it does not stall.
        for _ in range(80):
            beats = pick.randint(1, config.list_beats)
            stride = 1 << pick.randrange(beats.bit_length())
            limit = pick.choice([1, stride, pick.randint(1, stride)])
            address = pick.randrange(1 << 20) * config.bus_bytes
            expected = sliced(config, address, beats, stride, limit)
            at = len(sink.taken)
            dut.beats.value, dut.stride.value, dut.limit.value = beats, stride, limit
            set_value(dut.address, address)
            dut.start.value = 1
            await RisingEdge(dut.clk)
            dut.start.value = dut.beats.value = dut.address.value = 0
            await sink.wait(at + len(expected))
            await bench.cycles(RunWalk.pace + 2)
            assert sink.values[at:] == expected
            if not stall:
                cycles = [cycle for cycle, _ in sink.taken[at:]]
                assert cycles == [
                    start.cycles[-1] + RunWalk.pace * (i + 1) for i in range(len(expected))
                ]
        sink.stop()


@cocotb.test()
async def restarts(dut: Any) -> None:
    """A reset ends a walk; the next one is whole."""
    config = EngineConfig(**parameters())
    bench = Bench(dut)
    dut.start.value = 0
    sink = Sink(bench, "run", RunWalk(config).run.payload.shape(), stall=0.5)
    for cycles in range(1, 8):
        await bench.reset()
        at = len(sink.taken)
        dut.beats.value, dut.stride.value, dut.limit.value, dut.address.value = 9, 2, 2, 64
        dut.start.value = 1
        await bench.cycles()
        dut.start.value = 0
        if cycles < 7:
            await bench.cycles(cycles)
    expected = sliced(config, 64, 9, 2, 2)
    await sink.wait(at + len(expected), limit=200)
    assert sink.values[at:] == expected


def test_run_walk() -> None:
    simulate(RunWalk(CONFIG), __name__, "run_walk", given=CONFIG.as_dict())
