"""Engine cycles a second, by the native harness, cocotb and Amaranth's simulator.

All three run the engine on a job of its own kind with its memory answering; what differs is who
simulates. Every figure is the median of three samples.
"""

import json
import time
from collections import deque
from collections.abc import Iterable
from statistics import median
from typing import Any

import numpy as np
import torch
from amaranth.sim import Simulator as AmaranthSimulator

from golden.options import MatchOptions
from hw.config import PRESETS, EngineConfig
from hw.engine import DatmEngine
from hw.regions import JobSizes
from software.library.backends.driver import register_writes
from software.library.backends.layout import Layout
from software.library.backends.rtl import RtlBackend
from software.library.terminal import print_table
from tb.bench_engine import RATES
from tb.runner import BUILD, simulate

_BASELINE = "Amaranth"
_SAMPLES = 3
_NATIVE_SECONDS = 2.0
_AMARANTH_CYCLES = 400


def tokens_for(config: EngineConfig) -> torch.Tensor:
    """Random tokens, float16: 60 of half the channels that the engine holds."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn((60, config.max_channels // 2), generator=generator).half()


def native(config: EngineConfig) -> float:
    """Cycles a second of whole jobs through the RTL backend."""
    engine = RtlBackend(config)
    tokens = tokens_for(config)
    engine.match(tokens, 15, 22)  # builds the simulator
    rates = []
    for _ in range(_SAMPLES):
        begun, cycles = time.perf_counter(), 0
        while time.perf_counter() - begun < _NATIVE_SECONDS:
            cycles += engine.match(tokens, 15, 22).cycles
        rates.append(cycles / (time.perf_counter() - begun))
    engine.close()
    return median(rates)


def cocotb(config: EngineConfig, preset: str) -> float:
    """Cycles a second of the engine's testbench, built as ``make test`` builds it."""
    name = f"engine_{preset}"
    simulate(DatmEngine(config), "tb.bench_engine", name, given=config.as_dict())
    rates: list[float] = json.loads((BUILD / name / RATES).read_text())
    return median(rates)


def amaranth(config: EngineConfig) -> float:
    """Cycles a second of Amaranth's simulator, with a memory that answers at once."""
    engine = DatmEngine(config)
    tokens = tokens_for(config)
    layout = Layout(JobSizes(config, tokens.shape[0], tokens.shape[1], 15))
    memory = np.zeros(layout.size, np.uint8)
    layout.put_tokens(memory, tokens.view(torch.int16).numpy().view(np.uint16))
    options = MatchOptions(epsilon=0)
    rates: list[float] = []

    async def host(ctx: Any) -> None:
        bus = engine.control
        ctx.set(bus.bready, 1)
        ctx.set(bus.wstrb, 0xF)
        for offset, value in register_writes(layout, 22, options):
            ctx.set(bus.awaddr, offset)
            ctx.set(bus.wdata, value)
            ctx.set(bus.awvalid, 1)
            ctx.set(bus.wvalid, 1)
            while True:
                taken = await ctx.tick().sample(bus.awready, bus.wready)
                if taken[-2]:
                    ctx.set(bus.awvalid, 0)
                if taken[-1]:
                    ctx.set(bus.wvalid, 0)
                if not ctx.get(bus.awvalid) and not ctx.get(bus.wvalid):
                    break
            await ctx.tick().until(bus.bvalid)
        for _ in range(_SAMPLES):
            begun = time.perf_counter()
            await ctx.tick().repeat(_AMARANTH_CYCLES)
            rates.append(_AMARANTH_CYCLES / (time.perf_counter() - begun))

    simulator = AmaranthSimulator(engine)
    simulator.add_clock(1e-9)
    simulator.add_testbench(host)
    served: list[int] = []
    simulator.add_testbench(_memory_of(engine, config, memory, served), background=True)
    simulator.run()
    assert served, "the engine asked for nothing, so nothing was measured"
    return median(rates)


def _memory_of(
    engine: DatmEngine, config: EngineConfig, memory: "np.ndarray[Any, Any]", served: list[int]
) -> Any:
    """A testbench that answers reads, and lists their addresses in ``served``.

    Writes are not taken: the sampled stretch is over before the first one would be missed.
    """

    async def serve(ctx: Any) -> None:
        axi, beat = engine.axi, config.bus_bytes
        due: deque[tuple[int, int, bool]] = deque()
        ctx.set(axi.arready, 1)
        given = False
        while True:
            sampled = await ctx.tick().sample(axi.arvalid, axi.araddr, axi.arlen, axi.arid)
            valid, address, length, read_id = sampled[-4:]
            if valid:
                due.extend((address + i * beat, read_id, i == length) for i in range(length + 1))
            given = bool(due)
            ctx.set(axi.rvalid, given)
            if given:
                place, read_id, last = due.popleft()
                served.append(place)
                word = int.from_bytes(memory[place : place + beat].tobytes(), "little")
                ctx.set(axi.rdata, word)
                ctx.set(axi.rid, read_id)
                ctx.set(axi.rlast, last)

    return serve


def measure(presets: Iterable[str]) -> dict[str, Any]:
    """Lanes of each preset, and cycles a second by the name of the simulator."""
    found = {}
    for preset in presets:
        config = PRESETS[preset]
        rates = {
            "native harness (`--backend rtl`)": native(config),
            "cocotb": cocotb(config, preset),
            _BASELINE: amaranth(config),
        }
        found[preset] = {"lanes": config.lanes, "rates": rates}
    return found


def show(found: dict[str, Any]) -> None:
    """Print the table of what ``measure`` found."""
    print_table(
        ("preset", "lanes", "simulator", "cycles/s", "times Amaranth"),
        (
            (preset, entry["lanes"], name, round(rate), f"{rate / entry['rates'][_BASELINE]:,.1f}")
            for preset, entry in found.items()
            for name, rate in entry["rates"].items()
        ),
    )
