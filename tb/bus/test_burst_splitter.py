"""The burst splitter against a split computed beat by beat."""

import random
from typing import Any

import cocotb
import pytest

from hw.bus.burst_splitter import Burst, BurstSplitter
from hw.bus.client import Request
from hw.config import MAX_REQUEST_BEATS, EngineConfig
from tb.bus.test_axi_reader import CONFIGS, Requests
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, Source


def split(config: EngineConfig, requests: Requests) -> Requests:
    """(address, beats) of the bursts: a new one at each request and each burst_beats boundary."""
    step, bursts = config.bus_bytes, []
    for address, beats in requests:
        for beat in range(address, address + beats * step, step):
            if beat == address or beat % (config.burst_beats * step) == 0:
                bursts.append((beat, 0))
            bursts[-1] = bursts[-1][0], bursts[-1][1] + 1
    return bursts


async def check(dut: Any, requests: Requests, stall: float) -> tuple[Source, Sink]:
    """Send the requests, compare the bursts."""
    config = EngineConfig(**parameters())
    bench = Bench(dut)
    source = Source(bench, "request", Request(config), stall=stall, seed=1)
    sink = Sink(bench, "burst", Burst(config), stall=stall, seed=2)
    await bench.reset()
    assert dut.busy.value == 0
    source.put({"address": address, "beats": beats} for address, beats in requests)
    expected = split(config, requests)
    await sink.wait(len(expected), limit=100_000)
    await bench.cycles(5)
    assert [(burst["address"], burst["length"] + 1) for burst in sink.values] == expected
    assert dut.busy.value == 0
    return source, sink


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.5])
async def random_requests(dut: Any, stall: float) -> None:
    """Requests of any place and length, up to the longest and to the end of the address space."""
    config = EngineConfig(**parameters())
    step, rng = config.bus_bytes, random.Random(3)
    end = 1 << config.address_bits
    requests = [(end - 7 * step, 7), (step, 3000), (0, 1)]
    if not stall:
        longest = MAX_REQUEST_BEATS if config.burst_beats >= 16 else (1 << 16) - 1
        requests.append((4096 - step, longest))
    for _ in range(150):
        beats = rng.choice((1, rng.randint(1, 2 * config.burst_beats), rng.randint(1, 200)))
        requests.append((rng.randrange(0, end - beats * step, step), beats))
    await check(dut, requests, stall)


@cocotb.test()
async def one_a_cycle(dut: Any) -> None:
    """A burst a cycle from the latency on, across requests of one burst and of several."""
    config = EngineConfig(**parameters())
    requests = [(0, 1), (config.bus_bytes, 1), (0, 4 * config.burst_beats), (0, 1), (64, 1)]
    source, sink = await check(dut, requests, 0.0)
    first = source.sent[0][0] + BurstSplitter.latency
    assert [cycle for cycle, _ in sink.taken] == list(range(first, first + len(sink.taken)))


@pytest.mark.parametrize("name", ["tiny", "demo", "one-beat-bursts"])
def test_burst_splitter(name: str) -> None:
    config = CONFIGS[name]
    simulate(
        BurstSplitter(config, config.burst_beats),
        __name__,
        f"burst_splitter_{name.replace('-', '_')}",
        given=config.as_dict(),
    )
