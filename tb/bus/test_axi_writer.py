"""The AXI writer before memories of every temper, against a model of what must be in memory."""

import random
from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiRamWrite, AxiWriteBus

from hw.bus.axi_writer import AxiWriter
from hw.bus.client import Request, WriteBeat
from hw.config import EngineConfig
from tb.axi_memory import AxiMonitor, AxiWriteMemory, pauses
from tb.bus.test_axi_reader import CONFIGS, SIZE, Requests, check_cover, random_requests
from tb.memory import Memory
from tb.runner import parameters, simulate
from tb.streams import Bench, Source, set_value


class Client:
    """A write client: sends requests and random beats, and knows what memory must then hold."""

    def __init__(self, bench: Bench, memory: Memory, *, stall: float = 0.0):
        self.config = EngineConfig(**parameters())
        request, beat = Request(self.config), WriteBeat(self.config)
        self.request = Source(bench, "client__request", request, stall=stall, seed=1)
        self.beat = Source(bench, "client__beat", beat, stall=stall, seed=2)
        self.expected = Memory(len(memory.bytes))
        self.expected.bytes[:] = memory.bytes
        self._bench = bench
        self._random = random.Random(3)

    def send(self, requests: Requests, *, partial: bool = False) -> None:
        """Queue the requests and their beats; where ``partial``, with random strobes."""
        step = self.config.bus_bytes
        for address, beats in requests:
            self.request.put([{"address": address, "beats": beats}])
            for start in range(address, address + beats * step, step):
                content = self._random.randbytes(step)
                strobe = self._random.getrandbits(step) if partial else (1 << step) - 1
                self.beat.put([{"data": int.from_bytes(content, "little"), "strobe": strobe}])
                for offset in range(step):
                    if strobe >> offset & 1:
                        self.expected.bytes[start + offset] = content[offset]

    async def idle(self, limit: int = 20_000) -> None:
        """Wait until everything queued was accepted and the writer says idle."""
        await self.request.drain()
        for _ in range(limit):
            await RisingEdge(self._bench.dut.clk)
            if self._bench.dut.client__idle.value:
                return
        raise AssertionError(f"not idle after {limit} cycles")


def at_rest(dut: Any) -> None:
    """Neither stop, flush nor clear."""
    dut.stop.value = dut.flush.value = dut.clear.value = 0


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.5], order=["any", "address first", "data first"])
async def random_writes(dut: Any, stall: float, order: str) -> None:
    """Random requests and strobes; in the very cycle of idle memory holds all of it."""
    config = EngineConfig(**parameters())
    rng = random.Random(5)
    bench, memory = Bench(dut), Memory(SIZE, seed=3)
    at_rest(dut)
    monitor = AxiMonitor(bench, config, ("aw", "w"))
    AxiWriteMemory(bench, config, memory, latency=9, stall=stall, order=order)
    client = Client(bench, memory, stall=stall)
    await bench.reset()
    sent: Requests = []
    for count in (1, 30, 1, 10):
        requests = random_requests(config, rng, count)
        client.send(requests, partial=True)
        await client.idle()
        assert memory.bytes == client.expected.bytes
        sent += requests
    check_cover(monitor, config, 0, sent, config.write_burst_beats)
    monitor.check_write_lengths()
    assert not client.beat.queue
    assert dut.error.value == 0


@cocotb.test()
async def announced_when_whole(dut: Any) -> None:
    """AW comes when a burst's last beat was taken, however late; W waits for that too."""
    config = EngineConfig(**parameters())
    bench, memory = Bench(dut), Memory(SIZE)
    at_rest(dut)
    monitor = AxiMonitor(bench, config, ("aw", "w"))
    answers = AxiWriteMemory(bench, config, memory, latency=5)
    client = Client(bench, memory)
    client.beat.stop()
    client.beat = Source(bench, "client__beat", WriteBeat(config), stall=0.9, seed=2)
    await bench.reset()
    client.send([(4096 - config.bus_bytes, 6 * config.burst_beats)])
    await client.idle()
    assert memory.bytes == client.expected.bytes
    taken = [cycle for cycle, _ in client.beat.sent]
    ends = 0
    for announced, *_, beats in monitor.bursts:
        sent, ends = answers.beats[ends], ends + beats
        assert announced == taken[ends - 1] + AxiWriter.latency
        assert sent >= announced


@cocotb.test()
async def stops_and_forgets(dut: Any) -> None:
    """From a stop on, what was announced is ended and no more; after a flush all is as new."""
    config = EngineConfig(**parameters())
    bench, memory = Bench(dut), Memory(SIZE, seed=5)
    at_rest(dut)
    rng = random.Random(7)
    monitor = AxiMonitor(bench, config, ("aw", "w"))
    AxiWriteMemory(bench, config, memory, latency=12, stall=0.4)
    await bench.reset()
    cut = 0
    for _ in range(20):
        client = Client(bench, memory, stall=rng.choice((0.0, 0.6)))
        requests = random_requests(config, rng, 60)
        client.send(requests)
        await bench.cycles(rng.randint(1, 90))
        dut.stop.value = 1
        await bench.cycles()
        offered = int(dut.axi__awvalid.value) + len(monitor.bursts)
        while not dut.quiet.value:
            await bench.cycles()
        assert len(monitor.bursts) == offered
        monitor.check_write_lengths()
        cut += dut.client__idle.value == 0
        client.request.stop()
        client.beat.stop()
        dut.flush.value = 1
        await bench.cycles()
        at_rest(dut)
        await bench.cycles()
        assert dut.client__idle.value == 1
        client = Client(bench, memory)
        client.send(random_requests(config, rng, 3), partial=True)
        await client.idle()
        assert memory.bytes == client.expected.bytes
        client.request.stop()
        client.beat.stop()
    assert cut > 10, "hardly a stop met work under way"
    assert dut.error.value == 0


@cocotb.test()
async def answers_without_a_burst(dut: Any) -> None:
    """A response to nothing is an error, and the next run is right all the same."""
    config = EngineConfig(**parameters())
    bench, memory = Bench(dut), Memory(SIZE)
    at_rest(dut)
    client = Client(bench, memory)
    set_value(dut.axi__bresp, 0)
    set_value(dut.axi__bvalid, 0)
    await bench.reset()
    dut.axi__bvalid.value = 1
    await bench.cycles()
    dut.axi__bvalid.value = 0
    await bench.cycles(2)
    assert dut.error.value == 1
    assert dut.client__idle.value == dut.quiet.value == 1
    AxiWriteMemory(bench, config, memory, latency=5)
    client.send([(64 * config.bus_bytes, 9)])
    await client.idle()
    assert memory.bytes == client.expected.bytes


@cocotb.test()
async def third_party_memory(dut: Any) -> None:
    """cocotbext-axi's memory, pausing on every channel, ends with the same bytes."""
    config = EngineConfig(**parameters())
    rng = random.Random(6)
    bench, memory = Bench(dut), Memory(SIZE, seed=4)
    at_rest(dut)
    AxiMonitor(bench, config, ("aw", "w"))
    ram = AxiRamWrite(AxiWriteBus.from_prefix(dut, "axi_"), dut.clk, dut.rst, size=SIZE)
    ram.write(0, memory.read(0, SIZE))
    for seed, channel in enumerate((ram.aw_channel, ram.w_channel, ram.b_channel)):
        channel.set_pause_generator(pauses(0.3, seed))
    client = Client(bench, memory, stall=0.2)
    await bench.reset(4)
    client.send(random_requests(config, rng, 30), partial=True)
    await client.idle()
    assert bytes(ram.read(0, SIZE)) == client.expected.bytes


@cocotb.test()
async def idle_and_latencies(dut: Any) -> None:
    """Idle falls in the cycle after a request was accepted and rises after its last response."""
    config = EngineConfig(**parameters())
    bench, memory = Bench(dut), Memory(SIZE)
    at_rest(dut)
    monitor = AxiMonitor(bench, config, ("aw",))
    latency = 20
    answers = AxiWriteMemory(bench, config, memory, latency=latency)
    client = Client(bench, memory)
    busy: list[int] = []

    async def watch() -> None:
        while True:
            await RisingEdge(dut.clk)
            if not dut.client__idle.value and not dut.rst.value:
                busy.append(bench.cycle)

    await bench.reset()
    cocotb.start_soon(watch())
    assert dut.client__idle.value == 1
    client.send([(0, 1)])
    await client.idle(limit=100)
    accepted = client.request.sent[0][0]
    taken = client.beat.sent[0][0]
    assert taken == accepted + AxiWriter.request_latency
    assert monitor.bursts[0][0] == taken + AxiWriter.latency
    assert answers.beats[0] == taken + AxiWriter.latency
    assert busy == list(range(accepted + 1, answers.beats[0] + latency + 1))


async def rate(dut: Any, latency: int, run: int, total: int) -> float:
    """Beats a cycle on W from the first to the last of ``total``, in requests of ``run``."""
    config = EngineConfig(**parameters())
    bench, memory = Bench(dut), Memory(SIZE)
    at_rest(dut)
    AxiMonitor(bench, config, ("aw", "w"))
    answers = AxiWriteMemory(bench, config, memory, latency=latency)
    client = Client(bench, memory)
    await bench.reset()
    client.send([(0, run)] * (total // run))
    await client.idle()
    assert memory.bytes == client.expected.bytes
    measured = (len(answers.beats) - 1) / (answers.beats[-1] - answers.beats[0])
    dut._log.info("latency %d, requests of %d: %.3f beats a cycle", latency, run, measured)
    return measured


@cocotb.test()
async def streams(dut: Any) -> None:
    """As many beats a cycle as declared, at a latency of 100 cycles and more."""
    config = EngineConfig(**parameters())
    expected = AxiWriter(config).beats_a_cycle
    assert await rate(dut, 150, 8 * config.burst_beats, 1024) == pytest.approx(expected, rel=0.01)


@cocotb.test()
async def one_beat_requests(dut: Any) -> None:
    """A request of one beat each flows every second cycle."""
    assert await rate(dut, 150, 1, 512) == 0.5


@cocotb.test()
async def most_outstanding(dut: Any) -> None:
    """A memory that answers late gets max_outstanding bursts, then one for each answer."""
    config = EngineConfig(**parameters())
    bench, memory = Bench(dut), Memory(SIZE)
    at_rest(dut)
    monitor = AxiMonitor(bench, config, ("aw", "w"))
    latency = 3 * AxiWriter.max_outstanding
    AxiWriteMemory(bench, config, memory, latency=latency)
    client = Client(bench, memory)
    await bench.reset()
    total = AxiWriter.max_outstanding + 20
    client.send([(i % 100 * config.bus_bytes, 1) for i in range(total)])
    await bench.cycles(latency)
    assert len(monitor.bursts) == AxiWriter.max_outstanding
    await client.idle()
    assert len(monitor.bursts) == total
    assert memory.bytes == client.expected.bytes


@cocotb.test()
async def error_sticks(dut: Any) -> None:
    """A response that is not OKAY raises the error until it is cleared; writing goes on."""
    config = EngineConfig(**parameters())
    bench, memory = Bench(dut), Memory(SIZE)
    at_rest(dut)
    answers = AxiWriteMemory(bench, config, memory, latency=3)
    client = Client(bench, memory)
    await bench.reset()
    answers.errors = {4096}
    for address, error in ((0, 0), (4096, 1), (8192, 1)):
        client.send([(address, 2)])
        await client.idle()
        assert dut.error.value == error
    dut.clear.value = 1
    await bench.cycles(1)
    dut.clear.value = 0
    await bench.cycles(2)
    assert dut.error.value == 0
    assert memory.bytes == client.expected.bytes


@cocotb.test()
async def reset_within_a_run(dut: Any) -> None:
    """After a reset, of the memory too, the writer is idle and the next run is exact."""
    config = EngineConfig(**parameters())
    bench, memory = Bench(dut), Memory(SIZE, seed=9)
    at_rest(dut)
    AxiMonitor(bench, config, ("aw", "w"))
    AxiWriteMemory(bench, config, memory, latency=9, stall=0.5)
    for _ in range(3):
        client = Client(bench, memory)
        client.send([(0, 8 * config.burst_beats)])
        await bench.cycles(20)
        assert dut.client__idle.value == 0
        client.request.stop()
        client.beat.stop()
        await bench.reset()
        await bench.cycles(2)
        assert dut.client__idle.value == 1
    client = Client(bench, memory)
    client.send([(4096 - 2 * config.bus_bytes, 4 * config.burst_beats)])
    await client.idle()
    assert memory.bytes == client.expected.bytes


@pytest.mark.parametrize("name", ["tiny", "demo", "one-beat-bursts"])
def test_axi_writer(name: str) -> None:
    config = CONFIGS[name]
    simulate(
        AxiWriter(config), __name__, f"axi_writer_{name.replace('-', '_')}", given=config.as_dict()
    )
