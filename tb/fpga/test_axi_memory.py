"""The AXI4 memory under cocotbext-axi's master, and under a host at the same time."""

import random
from dataclasses import replace
from typing import Any

import cocotb
import pytest
from cocotb.triggers import Combine, RisingEdge
from cocotbext.axi import AxiBus, AxiMaster, AxiResp

from hw.config import PRESETS, EngineConfig
from hw.fpga.axi_memory import AxiMemory
from tb.axi_memory import pauses
from tb.runner import parameters, simulate
from tb.streams import Bench, set_value

CONFIGS = {
    "tiny": (PRESETS["tiny"], 300),
    "smaller than a page": (PRESETS["tiny"], 40),
    "wide": (replace(PRESETS["tiny"], bus_bytes=64, max_channels=128), 64),
}


class Rig:
    """A memory, a master on its bus, and a host."""

    def __init__(self, dut: Any, stall: float = 0.0):
        self.bench, self.dut = Bench(dut), dut
        self.bus_bytes = EngineConfig(**parameters()["config"]).bus_bytes
        self.size = parameters()["beats"] * self.bus_bytes
        self.master = AxiMaster(AxiBus.from_prefix(dut, "axi_"), dut.clk, dut.rst)
        if stall:
            write, read = self.master.write_if, self.master.read_if
            for seed, channel in enumerate(
                (write.aw_channel, write.w_channel, write.b_channel, read.ar_channel,
                 read.r_channel)
            ):  # fmt: skip
                channel.set_pause_generator(pauses(stall, seed))
        for name in ("enable", "write", "address", "data"):
            set_value(getattr(dut, f"host__{name}"), 0)

    async def write(self, address: int, content: bytes) -> None:
        """Write by the bus, whatever lies across beats and pages."""
        answer = await self.master.write(address, content)
        assert answer.resp == AxiResp.OKAY

    async def read(self, address: int, size: int) -> bytes:
        """Read by the bus."""
        answer = await self.master.read(address, size)
        assert answer.resp == AxiResp.OKAY
        return bytes(answer.data)

    async def host_write(self, address: int, byte: int) -> None:
        """Write a byte by the host's port."""
        self.dut.host__data.value = byte
        await self._host(address, 1)

    async def host_read(self, address: int) -> int:
        """Read a byte by the host's port."""
        await self._host(address, 0)
        await self.bench.edge  # it is there in the cycle that this edge ends
        return int(self.dut.host__entry.value)

    async def _host(self, address: int, write: int) -> None:
        self.dut.host__address.value = address
        self.dut.host__write.value = write
        self.dut.host__enable.value = 1
        await self.bench.edge
        self.dut.host__enable.value = 0


async def work(rig: Rig, model: bytearray, begin: int, end: int, rng: random.Random) -> None:
    """Writes and reads by the bus, of any bytes of a part of the memory."""
    for _ in range(30):
        first = rng.randrange(begin, end)
        size = rng.randrange(1, min(end - first, 40 * rig.bus_bytes) + 1)
        if rng.random() < 0.5:
            content = rng.randbytes(size)
            model[first : first + size] = content
            await rig.write(first, content)
        else:
            assert await rig.read(first, size) == model[first : first + size]


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.5])
async def two_bursts_and_a_host_at_once(dut: Any, stall: float) -> None:
    """Bursts of any length both ways, and a host that uses another part meanwhile."""
    rig = Rig(dut, stall)
    await rig.bench.reset()
    third = rig.size // 3
    model = bytearray(random.Random(1).randbytes(rig.size))
    await rig.write(0, bytes(model))
    busy = [
        cocotb.start_soon(work(rig, model, part * third, (part + 1) * third, random.Random(part)))
        for part in range(2)
    ]
    rng = random.Random(7)
    used = 0
    while not all(each.done() for each in busy):
        address = rng.randrange(2 * third, rig.size)
        if rng.random() < 0.5:
            model[address] = rng.randrange(256)
            await rig.host_write(address, model[address])
        else:
            assert await rig.host_read(address) == model[address]
        used += 1
        await rig.bench.cycles(rng.randrange(6))
    await Combine(*busy)
    assert used > 50
    assert await rig.read(0, rig.size) == model
    for address in (0, 1, rig.bus_bytes - 1, rig.bus_bytes, rig.size - 1):
        assert await rig.host_read(address) == model[address]


@cocotb.test()
async def a_beat_a_cycle(dut: Any) -> None:
    """A read burst's first beat comes in time, and the others, of the next burst too, behind it."""
    rig = Rig(dut)
    await rig.bench.reset()
    beats = 16
    reads = [
        cocotb.start_soon(rig.read(part * beats * rig.bus_bytes, beats * rig.bus_bytes))
        for part in range(2)
    ]
    asked: list[int] = []
    given: list[int] = []
    while len(given) < 2 * beats:
        await RisingEdge(dut.clk)
        if dut.axi__arvalid.value and dut.axi__arready.value:
            asked.append(rig.bench.cycle)
        if dut.axi__rvalid.value and dut.axi__rready.value:
            given.append(rig.bench.cycle)
    assert given[0] - asked[0] == AxiMemory.read_latency
    assert given == list(range(given[0], given[0] + 2 * beats))
    await Combine(*reads)


@cocotb.test()
async def beats_do_not_wait_for_who_takes_the_answer(dut: Any) -> None:
    """A burst's beats are taken, one a cycle, while its master is not ready for the response."""
    rig = Rig(dut)
    await rig.bench.reset()
    rig.master.write_if.b_channel.pause = True
    beats, taken = 8, list[int]()
    writing = cocotb.start_soon(rig.write(0, bytes(beats * rig.bus_bytes)))
    for _ in range(40):
        await RisingEdge(dut.clk)
        assert not dut.axi__bready.value
        if dut.axi__wvalid.value and dut.axi__wready.value:
            taken.append(rig.bench.cycle)
    assert taken == list(range(taken[0], taken[0] + beats))
    rig.master.write_if.b_channel.pause = False
    await writing


@cocotb.test()
async def beyond_the_memory(dut: Any) -> None:
    """An address past the end, near or far, is answered DECERR and changes nothing."""
    rig = Rig(dut)
    await rig.bench.reset()
    model = random.Random(3).randbytes(rig.size)
    await rig.write(0, model)
    for address in (rig.size, rig.size - rig.bus_bytes, 2 * rig.size, 1 << 30, (1 << 40) - 4096):
        for count in (2 * rig.bus_bytes, 64 * rig.bus_bytes):
            assert (await rig.master.read(address, count)).resp == AxiResp.DECERR
            assert (await rig.master.write(address, bytes(count))).resp == AxiResp.DECERR
            kept = min(address, rig.size)
            assert await rig.read(0, kept) == model[:kept]
            await rig.write(0, model)
    assert await rig.read(0, rig.size) == model


@cocotb.test()
async def reset_within_bursts(dut: Any) -> None:
    """Bursts under way are forgotten; what was written before stays."""
    rig = Rig(dut)
    await rig.bench.reset()
    model = random.Random(4).randbytes(rig.size)
    await rig.write(0, model)
    half = rig.size // 2
    for wait in range(1, 12):
        under_way = [
            cocotb.start_soon(rig.master.read(0, half)),
            cocotb.start_soon(rig.master.write(half, model[half:])),
        ]
        await rig.bench.cycles(2 * wait)
        await rig.bench.reset()
        for each in under_way:
            each.cancel()
        await rig.bench.cycles(4)
        assert not dut.axi__rvalid.value
        assert not dut.axi__bvalid.value
    assert await rig.read(0, rig.size) == model


@pytest.mark.parametrize("name", CONFIGS)
def test_axi_memory(name: str) -> None:
    config, beats = CONFIGS[name]
    given = {"config": config.as_dict(), "beats": beats}
    simulate(AxiMemory(config, beats), __name__, f"fpga_memory_{beats}", given=given)
