"""The AXI reader between two clients and memories of every temper, against the memory's bytes."""

import random
from dataclasses import replace
from itertools import pairwise
from typing import Any

import cocotb
import pytest
from cocotbext.axi import AxiRamRead, AxiReadBus

from hw.bus.axi import BURST_INCR
from hw.bus.axi_reader import AxiReader
from hw.bus.client import Request
from hw.config import PRESETS, EngineConfig
from tb.axi_memory import AxiMonitor, AxiReadMemory, pauses
from tb.layouts import from_bytes
from tb.memory import Memory
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, Source, set_value

CONFIGS = {
    "tiny": PRESETS["tiny"],
    "demo": PRESETS["demo"],
    "deep": replace(PRESETS["demo"], fifo_beats=256),
    "one-beat-bursts": replace(PRESETS["tiny"], burst_beats=1),
}
SIZE = 1 << 17
Requests = list[tuple[int, int]]


class Client:
    """A read client: asks for (address, beats) runs, and knows the beats that must come."""

    def __init__(self, bench: Bench, name: str, memory: Memory, *, stall: float = 0.0):
        self.config = EngineConfig(**parameters())
        self.expected: list[int] = []
        self.source = Source(bench, f"{name}__request", Request(self.config), stall=stall, seed=1)
        self.sink = Sink(bench, f"{name}__beat", stall=stall, seed=2)
        self._memory = memory

    def ask(self, requests: Requests) -> None:
        for address, beats in requests:
            self.source.put([{"address": address, "beats": beats}])
            run = self._memory.read(address, beats * self.config.bus_bytes)
            self.expected += from_bytes(self.config.bus_bits, run)

    async def check(self) -> None:
        """All beats came, in order, and none more."""
        assert await self.sink.wait(len(self.expected), limit=20_000) == self.expected


def random_requests(config: EngineConfig, rng: random.Random, count: int) -> Requests:
    """Requests of 1 to 3 bursts' length, many across or up to a 4 KiB boundary."""
    step, requests = config.bus_bytes, []
    for _ in range(count):
        beats = rng.choice((1, rng.randint(1, 3 * config.burst_beats)))
        before = rng.choice((rng.randint(0, 4096 // step), rng.randint(0, min(beats, 64))))
        boundary = 4096 * rng.randint(1, SIZE // 4096 - 4)
        requests.append((boundary - before * step, beats))
    return requests


def check_cover(
    monitor: AxiMonitor, config: EngineConfig, ident: int, requests: Requests, longest: int
) -> None:
    """The bursts of an id are the beats of its requests, once each and in order, none too long."""
    step = config.bus_bytes
    asked = [address + i * step for address, beats in requests for i in range(beats)]
    bursts = [(address, beats) for _, _, i, address, beats in monitor.bursts if i == ident]
    assert [address + i * step for address, beats in bursts for i in range(beats)] == asked
    assert max(beats for _, beats in bursts) <= longest
    extra = sum(-(-beats // longest) + 1 for _, beats in requests)
    assert len(bursts) <= extra, "more than one burst too many a request"


def at_rest(dut: Any, prompt: int = 0) -> None:
    """Neither stop, flush nor clear."""
    dut.prompt.value = prompt
    dut.stop.value = dut.flush.value = dut.clear.value = 0


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.5], mix_beats=[False, True])
async def both_clients(dut: Any, stall: float, mix_beats: bool) -> None:
    """Random requests of both clients; bursts or beats of the two ids mixed at random."""
    config = EngineConfig(**parameters())
    rng = random.Random(5)
    bench, memory = Bench(dut), Memory(SIZE, seed=3)
    at_rest(dut)
    monitor = AxiMonitor(bench, config, ("ar",))
    answers = AxiReadMemory(bench, config, memory, latency=7, stall=stall, mix_beats=mix_beats)
    clients = [Client(bench, name, memory, stall=stall) for name in "ab"]
    await bench.reset()
    requests = [random_requests(config, rng, 40) for _ in clients]
    for client, wanted in zip(clients, requests, strict=True):
        client.ask(wanted)
    for ident, (client, wanted) in enumerate(zip(clients, requests, strict=True)):
        await client.check()
        check_cover(monitor, config, ident, wanted, config.burst_beats)
    await bench.cycles(30)
    for client in clients:
        await client.check()
    assert dut.axi__arburst.value == BURST_INCR
    changes = sum(one != other for (_, one), (_, other) in pairwise(answers.beats))
    assert changes > (len(answers.beats) // 8 if mix_beats else 10), "the ids were hardly mixed"
    assert dut.error.value == 0


@cocotb.test()
async def third_party_memory(dut: Any) -> None:
    """cocotbext-axi's memory, pausing on both channels, sees a legal master."""
    config = EngineConfig(**parameters())
    rng = random.Random(6)
    bench, memory = Bench(dut), Memory(SIZE, seed=4)
    at_rest(dut)
    AxiMonitor(bench, config, ("ar",))
    ram = AxiRamRead(AxiReadBus.from_prefix(dut, "axi_"), dut.clk, dut.rst, size=SIZE)
    ram.write(0, memory.read(0, SIZE))
    for seed, channel in enumerate((ram.ar_channel, ram.r_channel)):
        channel.set_pause_generator(pauses(0.3, seed))
    clients = [Client(bench, name, memory, stall=0.2) for name in "ab"]
    await bench.reset(4)
    for client in clients:
        client.ask(random_requests(config, rng, 20))
    for client in clients:
        await client.check()


@cocotb.test()
async def latencies(dut: Any) -> None:
    """A request is on AR and a beat with its client when the docstring says."""
    config = EngineConfig(**parameters())
    bench, memory = Bench(dut), Memory(SIZE)
    at_rest(dut)
    monitor = AxiMonitor(bench, config, ("ar",))
    answers = AxiReadMemory(bench, config, memory, latency=5)
    client = Client(bench, "a", memory)
    Sink(bench, "b__beat")
    Source(bench, "b__request")
    await bench.reset()
    client.ask([(0, 1)])
    await client.check()
    taken = client.source.sent[0][0]
    assert monitor.bursts[0][0] == taken + AxiReader.request_latency
    assert client.sink.taken[0][0] == answers.beats[0][0] + AxiReader.beat_latency


async def rate(dut: Any, latency: int, names: str, run: int, prompt: int = 0) -> float:
    """Beats a cycle over the last three quarters of a long run, in requests of ``run`` beats."""
    config = EngineConfig(**parameters())
    bench, memory = Bench(dut), Memory(SIZE)
    at_rest(dut, prompt=prompt)
    AxiMonitor(bench, config, ("ar",))
    AxiReadMemory(bench, config, memory, latency=latency)
    clients = [Client(bench, name, memory) for name in names]
    if "b" not in names:
        Source(bench, "b__request")
        Sink(bench, "b__beat")
    await bench.reset()
    total = 16 * config.fifo_beats
    for client in clients:
        client.ask([(0, run)] * (total // run))
    for client in clients:
        await client.check()
    cycles = sorted(cycle for client in clients for cycle, _ in client.sink.taken)
    settled = cycles[len(cycles) // 4 :]
    measured = (len(settled) - 1) / (settled[-1] - settled[0])
    dut._log.info("latency %d, clients %s: %.3f beats a cycle", latency, names, measured)
    return measured


@cocotb.test()
async def one_client_streams(dut: Any) -> None:
    """A beat a cycle up to the covered latency, and beyond it as many as the FIFO allows."""
    config = EngineConfig(**parameters())
    covered = AxiReader(config).covered_latency
    assert await rate(dut, covered, "a", 8 * config.burst_beats) == 1.0


@cocotb.test()
async def prompt_client_streams(dut: Any) -> None:
    """A prompt client takes a beat a cycle at any latency, in long requests and in short ones."""
    config = EngineConfig(**parameters())
    for run in (8 * config.burst_beats, 1):
        assert await rate(dut, 3 * config.fifo_beats, "a", run, prompt=1) == 1.0


@cocotb.test()
@cocotb.parametrize(stall=[0.3, 0.8])
async def prompt_and_slow(dut: Any, stall: float) -> None:
    """A prompt client that pauses loses nothing, and the other one, which has credits, neither."""
    config = EngineConfig(**parameters())
    rng = random.Random(8)
    bench, memory = Bench(dut), Memory(SIZE, seed=5)
    at_rest(dut, prompt=2)
    monitor = AxiMonitor(bench, config, ("ar",))
    AxiReadMemory(bench, config, memory, latency=40, stall=0.2, mix_beats=True)
    clients = [Client(bench, name, memory, stall=stall) for name in "ab"]
    await bench.reset()
    requests = [random_requests(config, rng, 30) for _ in clients]
    for client, wanted in zip(clients, requests, strict=True):
        client.ask(wanted)
    for ident, (client, wanted) in enumerate(zip(clients, requests, strict=True)):
        await client.check()
        check_cover(monitor, config, ident, wanted, config.burst_beats)


@cocotb.test()
async def prompt_beside_full(dut: Any) -> None:
    """A client whose FIFO is full of what it does not take keeps nothing from a prompt one."""
    config = EngineConfig(**parameters())
    bench, memory = Bench(dut), Memory(SIZE, seed=6)
    at_rest(dut, prompt=2)
    AxiReadMemory(bench, config, memory, latency=9)
    full = Client(bench, "a", memory, stall=1.0)
    full.source.stop()
    full.source = Source(bench, "a__request", Request(config))
    other = Client(bench, "b", memory)
    await bench.reset()
    full.ask([(0, 4 * config.fifo_beats)])
    await bench.cycles(3 * config.fifo_beats + 40)
    other.ask([(4096, 4 * config.fifo_beats)])
    await other.check()
    full.sink.stop()
    full.sink = Sink(bench, "a__beat")
    await full.check()


@cocotb.test()
async def longer_latency(dut: Any) -> None:
    """Beyond the covered latency a FIFO's worth of beats comes in every round trip."""
    config = EngineConfig(**parameters())
    covered = AxiReader(config).covered_latency
    latency = covered + config.fifo_beats
    expected = config.fifo_beats / (latency + config.fifo_beats - covered)
    measured = await rate(dut, latency, "a", 8 * config.burst_beats)
    assert measured == pytest.approx(expected, rel=0.06)


@cocotb.test()
async def two_clients_stream(dut: Any) -> None:
    """Both clients together fill the bus at about twice the latency that one covers."""
    config = EngineConfig(**parameters())
    latency = 2 * AxiReader(config).covered_latency - config.burst_beats
    assert await rate(dut, max(1, latency), "ab", 8 * config.burst_beats) >= 0.97


@cocotb.test()
async def one_beat_requests(dut: Any) -> None:
    """Requests of one beat each flow one a cycle."""
    config = EngineConfig(**parameters())
    assert await rate(dut, AxiReader(config).covered_latency, "a", 1) >= 0.97


@cocotb.test()
async def fair_clients(dut: Any) -> None:
    """Two clients that ask all the time, of a memory slow to take addresses, get turns."""
    bench, memory = Bench(dut), Memory(SIZE)
    at_rest(dut)
    config = EngineConfig(**parameters())
    monitor = AxiMonitor(bench, config, ("ar",))
    AxiReadMemory(bench, config, memory, latency=1, address_stall=0.8)
    clients = [Client(bench, name, memory) for name in "ab"]
    await bench.reset()
    for client in clients:
        client.ask([(0, 1)] * 60)
    for client in clients:
        await client.check()
    check_turns(monitor)


@cocotb.test()
async def stuck_client(dut: Any) -> None:
    """A client that takes nothing gets a FIFO full of bursts, and the other one all the rest."""
    config = EngineConfig(**parameters())
    bench, memory = Bench(dut), Memory(SIZE)
    at_rest(dut)
    monitor = AxiMonitor(bench, config, ("ar",))
    AxiReadMemory(bench, config, memory, latency=3, mix_beats=True)
    stuck = Client(bench, "a", memory, stall=1.0)
    stuck.source.stop()
    stuck.source = Source(bench, "a__request", Request(config))
    other = Client(bench, "b", memory)
    await bench.reset()
    stuck.ask([(0, 4 * config.fifo_beats)])
    other.ask([(4096, 4 * config.fifo_beats)])
    await other.check()
    await bench.cycles(50)
    assert sum(beats for *_, i, _, beats in monitor.bursts if i == 0) == config.fifo_beats
    stuck.sink.stop()
    stuck.sink = Sink(bench, "a__beat")
    await stuck.check()


@cocotb.test()
async def error_sticks(dut: Any) -> None:
    """A response that is not OKAY raises the error until it is cleared; the data still flows."""
    config = EngineConfig(**parameters())
    bench, memory = Bench(dut), Memory(SIZE)
    at_rest(dut)
    answers = AxiReadMemory(bench, config, memory, latency=3)
    clients = [Client(bench, name, memory) for name in "ab"]
    await bench.reset()
    for client in clients:
        answers.errors = set()
        client.ask([(0, 3)])
        await client.check()
        assert dut.error.value == 0
        answers.errors = {config.bus_bytes}
        client.ask([(0, 3)])
        await client.check()
        await bench.cycles(9)
        assert dut.error.value == 1
        dut.clear.value = 1
        await bench.cycles(1)
        at_rest(dut)
        await bench.cycles(2)
        assert dut.error.value == 0


@cocotb.test()
@cocotb.parametrize(prompt=[0, 2])
async def stops_and_forgets(dut: Any, prompt: int) -> None:
    """From a stop on, what was issued is ended and no more; after a flush all is as new."""
    config = EngineConfig(**parameters())
    bench, memory = Bench(dut), Memory(SIZE, seed=9)
    at_rest(dut, prompt)
    rng = random.Random(7)
    monitor = AxiMonitor(bench, config, ("ar",))
    answers = AxiReadMemory(bench, config, memory, latency=12, stall=0.3, mix_beats=True)
    await bench.reset()
    cut = 0
    for _ in range(15):
        clients = [Client(bench, name, memory, stall=rng.choice((0.0, 0.7))) for name in "ab"]
        for client in clients:
            client.ask(random_requests(config, rng, 60))
        await bench.cycles(rng.randint(1, 90))
        dut.stop.value = 1
        await bench.cycles()
        offered = int(dut.axi__arvalid.value) + len(monitor.bursts)
        cut += dut.quiet.value == 0
        while not dut.quiet.value:
            assert dut.axi__rready.value == 1
            await bench.cycles()
        assert len(monitor.bursts) == offered
        assert len(answers.beats) == sum(beats for *_, beats in monitor.bursts)
        for client in clients:
            client.source.stop()
            client.sink.stop()
        dut.flush.value = 1
        await bench.cycles()
        at_rest(dut, prompt)
        clients = [Client(bench, name, memory, stall=0.2) for name in "ab"]
        for client in clients:
            client.ask(random_requests(config, rng, 4))
        for client in clients:
            await client.check()
            client.source.stop()
            client.sink.stop()
    assert cut > 10, "hardly a stop met work under way"
    assert dut.error.value == 0


@cocotb.test()
async def fair_while_full(dut: Any) -> None:
    """Two clients get turns, too, while a burst goes out only when one has ended."""
    config = EngineConfig(**parameters())
    bench, memory = Bench(dut), Memory(SIZE)
    at_rest(dut, prompt=3)
    monitor = AxiMonitor(bench, config, ("ar",))
    AxiReadMemory(bench, config, memory, latency=2 * AxiReader.max_outstanding, stall=0.5)
    clients = [Client(bench, name, memory) for name in "ab"]
    await bench.reset()
    for client in clients:
        client.ask([(0, 1)] * AxiReader.max_outstanding)
    for client in clients:
        await client.check()
    check_turns(monitor)


def check_turns(monitor: AxiMonitor) -> None:
    """Both clients take turns, b first, until one is done."""
    idents = [ident for _, _, ident, _, _ in monitor.bursts][:-5]
    assert idents[0] == 1
    assert all(one != other for one, other in pairwise(idents))


@cocotb.test()
async def most_outstanding(dut: Any) -> None:
    """A memory that answers late gets max_outstanding bursts of a prompt client, then no more."""
    config = EngineConfig(**parameters())
    bench, memory = Bench(dut), Memory(SIZE)
    at_rest(dut, prompt=1)
    monitor = AxiMonitor(bench, config, ("ar",))
    latency = 2 * AxiReader.max_outstanding
    AxiReadMemory(bench, config, memory, latency=latency)
    client = Client(bench, "a", memory)
    Sink(bench, "b__beat")
    Source(bench, "b__request")
    await bench.reset()
    total = AxiReader.max_outstanding + 20
    client.ask([(i % 100 * config.bus_bytes, 1) for i in range(total)])
    await bench.cycles(latency)
    assert len(monitor.bursts) == AxiReader.max_outstanding
    await client.check()
    assert len(monitor.bursts) == total


@cocotb.test()
async def beats_without_a_burst(dut: Any) -> None:
    """A beat of nothing is an error and is dropped, and the next run is right all the same."""
    config = EngineConfig(**parameters())
    bench, memory = Bench(dut), Memory(SIZE, seed=4)
    at_rest(dut)
    client = Client(bench, "a", memory)
    Sink(bench, "b__beat")
    Source(bench, "b__request")
    for name, value in (("rvalid", 0), ("rid", 0), ("rdata", 7), ("rresp", 0), ("rlast", 1)):
        set_value(getattr(dut, f"axi__{name}"), value)
    await bench.reset()
    dut.axi__rvalid.value = 1
    await bench.cycles(2)
    dut.axi__rvalid.value = 0
    await bench.cycles(4)
    assert dut.error.value == 1
    assert dut.quiet.value == 1
    assert not client.sink.taken
    AxiReadMemory(bench, config, memory, latency=5)
    client.ask([(64 * config.bus_bytes, 9)])
    await client.check()


@cocotb.test()
async def reset_within_a_run(dut: Any) -> None:
    """After a reset, of the memory too, nothing old comes and all room is free again."""
    config = EngineConfig(**parameters())
    bench, memory = Bench(dut), Memory(SIZE, seed=9)
    at_rest(dut)
    monitor = AxiMonitor(bench, config, ("ar",))
    AxiReadMemory(bench, config, memory, latency=9)
    for _ in range(3):
        clients = [Client(bench, name, memory, stall=0.7) for name in "ab"]
        for client in clients:
            client.ask([(0, 4 * config.fifo_beats)])
        await bench.cycles(30)
        for client in clients:
            client.source.stop()
            client.sink.stop()
        await bench.reset()
    monitor.bursts.clear()
    client = Client(bench, "a", memory)
    client.ask([(4096, 4 * config.fifo_beats)])
    await client.check()
    await bench.cycles(30)
    await client.check()
    check_cover(monitor, config, 0, [(4096, 4 * config.fifo_beats)], config.burst_beats)


@pytest.mark.parametrize("name", CONFIGS)
def test_axi_reader(name: str) -> None:
    config = CONFIGS[name]
    simulate(
        AxiReader(config), __name__, f"axi_reader_{name.replace('-', '_')}", given=config.as_dict()
    )
