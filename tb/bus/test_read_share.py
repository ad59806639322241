"""The read share: every client's own beats, in order, while several of them ask at once."""

import random
from collections import deque
from typing import Any

import cocotb
import pytest
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer

from hw.bus.client import Request
from hw.bus.read_share import ReadShare
from hw.config import MAX_REQUEST_BEATS, PRESETS
from tb.layouts import encode
from tb.memory import Memory, ReadMemory
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, Source, set_value, unsigned

CONFIG = PRESETS["tiny"]
SHARES = {"one": (1, 4), "two": (2, 3), "three": (3, 8)}
"""Clients and depth."""
SIZE = 1 << 14
STEP = CONFIG.bus_bytes


class Rules:
    """Checks in every cycle who is let through, and that nothing is held back."""

    def __init__(self, rig: "Rig"):
        self.most = 0
        self._rig = rig
        self._waits = False
        self._open: deque[int] = deque()
        self._task = cocotb.start_soon(self._run())

    def stop(self) -> None:
        """Look no longer, as on a reset."""
        self._task.cancel()

    async def _run(self) -> None:
        dut = self._rig.dut
        while True:
            await RisingEdge(dut.clk)
            if dut.rst.value:
                continue
            asking = [
                number for number in range(self._rig.clients)
                if getattr(dut, f"client__{number}__request__valid").value
            ]  # fmt: skip
            valid = bool(dut.port__request__valid.value)
            assert valid == (bool(asking) and len(self._open) < self._rig.depth)
            if valid and not self._waits:
                lowest = getattr(dut, f"client__{asking[0]}__request__payload").value
                assert dut.port__request__payload.value == lowest
            taken = valid and bool(dut.port__request__ready.value)
            self._waits = valid and not taken
            if dut.port__beat__valid.value and dut.port__beat__ready.value:
                self._open[0] -= 1
                if self._open[0] == 0:
                    self._open.popleft()
            if taken:
                payload = unsigned(dut.port__request__payload.value)
                self._open.append(payload >> CONFIG.address_bits)
            self.most = max(self.most, len(self._open))


class Rig:
    """A `ReadShare` between its clients and a memory."""

    def __init__(self, dut: Any, *, stall: float = 0.0, latency: int = 20, seed: int = 0):
        self.clients, self.depth = (parameters()[name] for name in ("clients", "depth"))
        self.bench = Bench(dut)
        self.dut = dut
        self.memory = Memory(SIZE)
        self.reader = ReadMemory(
            self.bench, "port", CONFIG, self.memory, latency=latency, stall=stall, seed=seed
        )
        numbers = range(self.clients)
        self.requests = [
            Source(
                self.bench, f"client__{number}__request", Request(CONFIG), stall=stall, seed=seed
            )
            for number in numbers
        ]
        self.beats = [
            Sink(self.bench, f"client__{number}__beat", stall=stall, seed=seed)
            for number in numbers
        ]
        self.rules = Rules(self)
        self.random = random.Random(f"{stall} {latency} {seed}")

    def stop(self) -> None:
        """Stop every neighbour, as on a reset."""
        self.reader.stop()
        self.rules.stop()
        for source, sink in zip(self.requests, self.beats, strict=True):
            source.stop()
            sink.stop()

    def ask(self, count: int, least_beats: int, most_beats: int) -> list[list[tuple[int, int]]]:
        """Queue ``count`` requests of each client: their (address, beats)."""
        asked = []
        for source in self.requests:
            own = []
            for _ in range(count):
                beats = self.random.randint(least_beats, most_beats)
                own.append((STEP * self.random.randrange(SIZE // STEP - beats), beats))
            source.put({"address": address, "beats": beats} for address, beats in own)
            asked.append(own)
        return asked

    async def run(self, count: int, least_beats: int, most_beats: int) -> None:
        """Compare what each client gets, and that requests and beats pass in their cycle."""
        for source, sink in zip(self.requests, self.beats, strict=True):
            source.sent.clear()
            sink.taken.clear()
        self.reader.sent.clear()
        self.reader.requests.clear()
        asked = self.ask(count, least_beats, most_beats)
        for own, sink in zip(asked, self.beats, strict=True):
            expected = [
                int.from_bytes(self.memory.read(address + STEP * beat, STEP), "little")
                for address, beats in own
                for beat in range(beats)
            ]
            assert await sink.wait(len(expected), limit=20_000) == expected
        # A word of each client's, by the cycle in which it passed.
        passed = sorted(each for source in self.requests for each in source.sent)
        assert passed == [
            (cycle, encode(Request(CONFIG), {"address": address, "beats": beats}))
            for cycle, address, beats in self.reader.requests
        ]
        assert self.reader.sent == sorted(each for sink in self.beats for each in sink.taken)


@cocotb.test()
async def at_full_speed(dut: object) -> None:
    """Short requests fill the queue; long ones leave no cycle between their beats."""
    rig = Rig(dut)
    await rig.bench.reset()
    await rig.run(20, 1, 3)
    assert rig.rules.most == rig.depth
    await rig.run(rig.depth, 25, 40)
    cycles = [cycle for cycle, _ in rig.reader.sent]
    assert cycles == list(range(cycles[0], cycles[0] + len(cycles)))


@cocotb.test()
async def stalls_everywhere(dut: object) -> None:
    """Slow clients and slow memory, for memory that answers at once and one that does not."""
    for seed, latency in enumerate((1, 2, 30)):
        rig = Rig(dut, stall=0.4, latency=latency, seed=seed)
        await rig.bench.reset()
        for most_beats in (1, 2, 9):
            await rig.run(25, 1, most_beats)
        rig.stop()


@cocotb.test()
async def at_most_depth_wait(dut: object) -> None:
    """While memory is silent, so many requests pass, one a cycle, and no more."""
    rig = Rig(dut, latency=1000)
    await rig.bench.reset()
    rig.ask(rig.depth, 1, 2)
    await rig.bench.cycles(200)
    cycles = [cycle for cycle, _, _ in rig.reader.requests]
    assert cycles == list(range(cycles[0], cycles[0] + rig.depth))
    # None of those that passed was a higher client's.
    assert len(rig.requests[0].sent) == rig.depth


@cocotb.test()
async def reset_in_mid_run(dut: object) -> None:
    """After a reset no beat goes to who asked before."""
    for cycles in (2, 3, 5, 12, 40):
        rig = Rig(dut, stall=0.2, latency=10, seed=cycles)
        await rig.bench.reset()
        rig.ask(10, 1, 5)
        await rig.bench.cycles(cycles)
        rig.stop()
        await rig.bench.reset()
        rig = Rig(dut, stall=0.2, latency=10, seed=cycles)
        await rig.run(10, 1, 5)
        rig.stop()


@cocotb.test()
async def the_longest_request(dut: Any) -> None:
    """So many beats are taken for it, one for the next, and then no more."""
    set_value(dut.port__request__ready, 1)
    set_value(dut.port__beat__valid, 0)
    for number in range(parameters()["clients"]):
        set_value(getattr(dut, f"client__{number}__request__valid"), 0)
        set_value(getattr(dut, f"client__{number}__beat__ready"), 1)
    # Without a bench, which counts: a million cycles pass in one wait.
    cycle = 2
    Clock(dut.clk, cycle, unit="ns").start()
    dut.rst.value = 1
    await Timer(2 * cycle, "ns")
    dut.rst.value = 0
    for beats in (MAX_REQUEST_BEATS, 1):
        word = encode(Request(CONFIG), {"address": 0, "beats": beats})
        set_value(dut.client__0__request__payload, word)
        dut.client__0__request__valid.value = 1
        await Timer(cycle, "ns")
    dut.client__0__request__valid.value = 0
    await Timer(3 * cycle, "ns")
    dut.port__beat__valid.value = 1
    await Timer(MAX_REQUEST_BEATS * cycle, "ns")
    assert dut.port__beat__ready.value == 1
    await Timer(cycle, "ns")
    assert dut.port__beat__ready.value == 0, "a beat is taken that nobody asked for"


@pytest.mark.parametrize("name", SHARES)
def test_read_share(name: str) -> None:
    clients, depth = SHARES[name]
    simulate(
        ReadShare(CONFIG, clients, depth), __name__, f"read_share_{name}",
        given={"clients": clients, "depth": depth},
    )  # fmt: skip
