"""A memory for the read and write clients of a component under test, slow and uneven on purpose."""

import random
from collections import deque

import cocotb

from hw.bus.client import Request, WriteBeat
from hw.config import EngineConfig
from tb.layouts import decode
from tb.streams import Bench, Bit, Sink, Source

LATENCY = 100
"""Cycles from a request to its first beat, and from the last beat of a write to its landing."""


class Memory:
    """The bytes that the clients of a component share.

    Bytes that nobody wrote are random, so that nothing works by chance of a zero.
    """

    def __init__(self, size: int, *, seed: int = 0):
        self.bytes = bytearray(random.Random(f"{seed} memory").randbytes(size))

    def load(self, address: int, content: bytes) -> None:
        """Put ``content`` at ``address``."""
        assert address + len(content) <= len(self.bytes), f"{address:#x} is beyond the memory"
        self.bytes[address : address + len(content)] = content

    def read(self, address: int, count: int) -> bytes:
        """The ``count`` bytes at ``address``."""
        assert address + count <= len(self.bytes), f"{address:#x} + {count} is beyond the memory"
        return bytes(self.bytes[address : address + count])


class _Requests:
    """The request stream of a client, decoded and checked."""

    def __init__(
        self, bench: Bench, name: str, config: EngineConfig, memory: Memory, stall: float, seed: int
    ):
        self.sink = Sink(bench, f"{name}__request", Request(config), stall=stall, seed=seed)
        self._name = name
        self._config = config
        self._memory = memory
        self._decoded = 0

    def new(self) -> list[tuple[int, int, int]]:
        """(cycle, address, beats) of the requests accepted since the last call."""
        config, fresh = self._config, []
        for cycle, word in self.sink.taken[self._decoded :]:
            request = decode(Request(config), word)
            address, beats = request["address"], request["beats"]
            assert beats > 0, f"{self._name}: a request of 0 beats"
            assert address % config.bus_bytes == 0, f"{self._name}: {address:#x} is not aligned"
            assert address + beats * config.bus_bytes <= len(self._memory.bytes), (
                f"{self._name}: {beats} beats at {address:#x} reach beyond the memory"
            )
            fresh.append((cycle, address, beats))
        self._decoded = len(self.sink.taken)
        return fresh


class ReadMemory:
    """Answers the `hw.bus.client.ReadClient` member ``name`` of the component.

    A request's first beat is offered ``latency`` cycles after the request was accepted, or when
    the beats of the requests before it are through; a beat's bytes are those of the cycle before
    it is offered. ``stall`` is the probability that a cycle accepts no request, and that it offers
    no beat. ``requests`` holds (cycle, address, beats) of each request.
    """

    def __init__(
        self,
        bench: Bench,
        name: str,
        config: EngineConfig,
        memory: Memory,
        *,
        latency: int = LATENCY,
        stall: float = 0.0,
        seed: int = 0,
    ):
        self.requests: list[tuple[int, int, int]] = []
        self._bench = bench
        self._memory = memory
        self._latency = latency
        self._step = config.bus_bytes
        self._incoming = _Requests(bench, name, config, memory, stall, seed)
        self._source = Source(bench, f"{name}__beat", stall=stall, seed=seed)
        self._task = cocotb.start_soon(self._run())

    @property
    def sent(self) -> list[tuple[int, int]]:
        """(cycle, word) of each beat that the component took."""
        return self._source.sent

    def stop(self) -> None:
        """Stop answering, as on a reset: drops what is under way."""
        self._task.cancel()
        self._incoming.sink.stop()
        self._source.stop()

    async def _run(self) -> None:
        waiting: deque[tuple[int, int, int]] = deque()
        while True:
            await self._bench.edge
            fresh = self._incoming.new()
            self.requests += fresh
            waiting.extend(fresh)
            # Two beats queued keep the source busy every cycle, and no beat is read early.
            while len(self._source.queue) < 2 and waiting:
                cycle, address, beats = waiting[0]
                if self._bench.cycle < cycle + self._latency - 1:
                    break
                word = int.from_bytes(self._memory.read(address, self._step), "little")
                self._source.put([word])
                if beats == 1:
                    waiting.popleft()
                else:
                    waiting[0] = cycle, address + self._step, beats - 1


class WriteMemory:
    """Serves the `hw.bus.client.WriteClient` member ``name`` of the component, and drives its idle.

    A beat is taken only once its request was accepted. A beat's bytes land ``latency``
    cycles after it, and a request counts as acknowledged with its last beat: a unit that reads back
    what it wrote without waiting for idle gets the old bytes. ``stall`` is the probability that a
    cycle accepts no request, and that it accepts no beat. ``requests`` holds (cycle, address,
    beats) of each request, ``beats`` the (cycle, address, word) of each beat.
    """

    def __init__(
        self,
        bench: Bench,
        name: str,
        config: EngineConfig,
        memory: Memory,
        *,
        latency: int = LATENCY,
        stall: float = 0.0,
        seed: int = 0,
    ):
        self.requests: list[tuple[int, int, int]] = []
        self.beats: list[tuple[int, int, int]] = []
        self._bench = bench
        self._name = name
        self._memory = memory
        self._latency = latency
        self._bytes = config.bus_bytes
        self._beat = WriteBeat(config)
        self._stall = stall
        self._random = random.Random(f"{seed} {name} beats")
        self._incoming = _Requests(bench, name, config, memory, stall, seed)
        self._valid = getattr(bench.dut, f"{name}__beat__valid")
        self._payload = getattr(bench.dut, f"{name}__beat__payload")
        self._ready = Bit(getattr(bench.dut, f"{name}__beat__ready"))
        self._idle = Bit(getattr(bench.dut, f"{name}__idle"), True)
        self._task = cocotb.start_soon(self._run())

    def stop(self) -> None:
        """Stop serving, as on a reset: what has not landed never does."""
        self._task.cancel()
        self._incoming.sink.stop()
        self._ready.drive(False)
        self._idle.drive(True)

    async def _run(self) -> None:
        dut, reset = self._bench.dut, self._bench.dut.rst
        request_valid = getattr(dut, f"{self._name}__request__valid")
        request_ready = getattr(dut, f"{self._name}__request__ready")
        open_beats: deque[tuple[int, bool]] = deque()  # address, last of its request
        landing: deque[tuple[int, int, int, bool]] = deque()  # cycle, address, word, last
        unfinished = 0
        held = None
        while True:
            await self._bench.edge
            unfinished += int(bool(request_valid.value and request_ready.value and not reset.value))

            if self._valid.value and not reset.value:
                word = int(self._payload.value.to_unsigned())
                assert held is None or word == held, f"{self._name}: beat changed before transfer"
                held = None if self._ready else word
                if self._ready:
                    address, last = open_beats.popleft()
                    self.beats.append((self._bench.cycle, address, word))
                    landing.append((self._bench.cycle + self._latency, address, word, last))
            else:
                assert held is None or reset.value, f"{self._name}: valid dropped before transfer"
                held = None

            while landing and landing[0][0] <= self._bench.cycle:
                _, address, word, last = landing.popleft()
                self._land(address, word)
                unfinished -= last

            for cycle, address, beats in self._incoming.new():
                self.requests.append((cycle, address, beats))
                open_beats.extend((address + i * self._bytes, i == beats - 1) for i in range(beats))
            self._ready.drive(bool(open_beats) and self._random.random() >= self._stall)
            self._idle.drive(unfinished == 0)

    def _land(self, address: int, word: int) -> None:
        """Write the bytes of a beat whose strobe is 1."""
        beat = decode(self._beat, word)
        content = beat["data"].to_bytes(self._bytes, "little")
        for offset in range(self._bytes):
            if beat["strobe"] >> offset & 1:
                self._memory.bytes[address + offset] = content[offset]
