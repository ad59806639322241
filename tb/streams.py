"""cocotb drivers for Amaranth streams and memory clients, with stalls and the stream rules."""

import random
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import cocotb
from amaranth.hdl import ShapeLike
from cocotb.clock import Clock
from cocotb.handle import LogicArrayObject
from cocotb.triggers import RisingEdge
from cocotb.types import LogicArray

from tb.layouts import decode, encode

_QUIET = 100_000
"""Cycles without a transfer after which a bench with streams is given up: no test waits so long."""


class Bench:
    """A component under test: its clock, its reset and a cycle count."""

    def __init__(self, dut: Any):
        self.dut = dut
        self.edge = RisingEdge(dut.clk)
        self.cycle = 0
        self._given_up = float("inf")
        cocotb.start_soon(Clock(dut.clk, 2, unit="ns").start())
        cocotb.start_soon(self._count())

    async def _count(self) -> None:
        while True:
            await self.edge
            self.cycle += 1
            assert self.cycle < self._given_up, f"no stream has moved for {_QUIET} cycles"

    def moves(self) -> None:
        """Tell that a stream has begun, or that a word has been transferred."""
        self._given_up = self.cycle + _QUIET

    async def cycles(self, count: int = 1) -> None:
        """Wait for ``count`` rising clock edges."""
        for _ in range(count):
            await self.edge

    async def reset(self, cycles: int = 2) -> None:
        """Hold the reset for ``cycles`` cycles."""
        self.dut.rst.value = 1
        await self.cycles(cycles)
        self.dut.rst.value = 0

    async def start(self, name: str = "run") -> None:
        """Pulse the start of the `Handshake` member ``name``."""
        start = getattr(self.dut, f"{name}__start")
        start.value = 1
        await self.cycles()
        start.value = 0

    async def done(self, limit: int, name: str = "run") -> int:
        """Wait for the done of the `Handshake` member ``name``; the cycles before it."""
        done = getattr(self.dut, f"{name}__done")
        for cycle in range(limit):
            await self.cycles()
            if done.value:
                return cycle
        raise AssertionError(f"{name} is not done in {limit} cycles")


def set_value(handle: Any, value: int) -> None:
    """Drive a port of any width."""
    if isinstance(handle, LogicArrayObject):
        handle.value = LogicArray.from_unsigned(value, len(handle))
    else:
        handle.value = value


def spoil(handle: Any, garbage: random.Random) -> None:
    """Drive a port of any width with anything."""
    bits = len(handle) if isinstance(handle, LogicArrayObject) else 1
    set_value(handle, garbage.getrandbits(bits))


def unsigned(value: Any) -> int:
    """The number that a port of any width holds."""
    return int(value.to_unsigned()) if isinstance(value, LogicArray) else int(value)


class Bit:
    """A one-bit port that is driven: only when it changes, since cocotb's writes are slow."""

    def __init__(self, handle: Any, value: bool = False):
        self._handle = handle
        self._value = value
        handle.value = int(value)

    def __bool__(self) -> bool:
        """What was driven last."""
        return self._value

    def drive(self, value: bool) -> None:
        """From the end of this time step on."""
        if value != self._value:
            self._value = value
            self._handle.value = int(value)


class Source:
    """Drives a stream into the component.

    ``shape`` is the payload's, where values of a layout are put; else they are words already.
    ``stall`` is the probability that a cycle offers nothing although something is queued. While
    nothing is offered the payload is garbage.
    ``sent`` holds (cycle, word) of each transfer: the bench cycle whose rising edge took it.
    """

    def __init__(
        self,
        bench: Bench,
        name: str,
        shape: ShapeLike | None = None,
        *,
        stall: float = 0.0,
        seed: int = 0,
    ):
        self.queue: deque[int] = deque()
        self._shape = shape
        self.sent: list[tuple[int, int]] = []
        self._bench = bench
        self._valid = Bit(getattr(bench.dut, f"{name}__valid"))
        self._payload = getattr(bench.dut, f"{name}__payload")
        self._ready = getattr(bench.dut, f"{name}__ready", None)
        self._stall = stall
        self._random = random.Random(f"{seed} {name}")
        self._garbage = random.Random(f"{seed} {name} garbage")
        spoil(self._payload, self._garbage)
        bench.moves()
        self._task = cocotb.start_soon(self._run())

    def put(self, values: Iterable[Any]) -> None:
        """Queue values for sending."""
        shape = self._shape
        self.queue.extend(values if shape is None else (encode(shape, each) for each in values))

    async def drain(self) -> None:
        """Wait until everything queued has been taken."""
        while self.queue:
            await self._bench.edge

    def stop(self) -> None:
        """Stop driving, as on a reset: drops what is queued."""
        self._task.cancel()
        self._valid.drive(False)

    async def _run(self) -> None:
        edge = self._bench.edge
        while True:
            await edge
            if self._valid:
                if self._ready is not None and not self._ready.value:
                    continue
                self.sent.append((self._bench.cycle, self.queue.popleft()))
                self._bench.moves()
            offered = bool(self.queue) and self._random.random() >= self._stall
            if offered:
                set_value(self._payload, self.queue[0])
            elif self._valid:
                spoil(self._payload, self._garbage)
            self._valid.drive(offered)


class Sink:
    """Takes a stream from the component, and checks the stream rules on the way.

    ``shape`` is the payload's, where ``values`` of a layout are wanted. ``stall`` is the chance of
    a cycle that is not ready. ``taken`` holds (cycle, word) of each transfer. Once raised, valid
    must stay and the payload must not change until the transfer.
    """

    def __init__(
        self,
        bench: Bench,
        name: str,
        shape: ShapeLike | None = None,
        *,
        stall: float = 0.0,
        seed: int = 0,
    ):
        self.taken: list[tuple[int, int]] = []
        self._shape = shape
        self._bench = bench
        self._name = name
        self._valid = getattr(bench.dut, f"{name}__valid")
        self._payload = getattr(bench.dut, f"{name}__payload")
        ready = getattr(bench.dut, f"{name}__ready", None)
        self._ready = None if ready is None else Bit(ready)
        self._stall = stall
        self._random = random.Random(f"{seed} {name}")
        bench.moves()
        self._task = cocotb.start_soon(self._run())

    @property
    def words(self) -> list[int]:
        """The words taken so far."""
        return [word for _, word in self.taken]

    @property
    def values(self) -> list[Any]:
        """The same as values of ``shape``."""
        assert self._shape is not None, f"{self._name} was given no shape"
        return [decode(self._shape, word) for word in self.words]

    async def wait(self, count: int, limit: int = 1_000_000) -> list[int]:
        """Wait until ``count`` words have been taken in all, at most ``limit`` cycles."""
        for _ in range(limit):
            if len(self.taken) >= count:
                return self.words
            await self._bench.edge
        raise AssertionError(f"{self._name}: {len(self.taken)} of {count} words in {limit} cycles")

    def stop(self) -> None:
        """Stop taking, as on a reset."""
        self._task.cancel()
        if self._ready is not None:
            self._ready.drive(False)

    async def _run(self) -> None:
        edge, held = self._bench.edge, None
        reset = self._bench.dut.rst
        while True:
            await edge
            if reset.value:
                held = None
            elif self._valid.value:
                word = self._payload.value
                assert held is None or word == held, (
                    f"{self._name}: payload changed before transfer"
                )
                if self._ready is None or self._ready:
                    self.taken.append((self._bench.cycle, unsigned(word)))
                    self._bench.moves()
                    held = None
                else:
                    held = word
            else:
                assert held is None, f"{self._name}: valid dropped before transfer"
            if self._ready is not None:
                self._ready.drive(self._random.random() >= self._stall)


class Watch:
    """The bench cycles in which the one-bit port ``name`` was 1, counted as transfers are."""

    def __init__(self, bench: Bench, name: str):
        self.cycles: list[int] = []
        self._bench = bench
        self._port = getattr(bench.dut, name)
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        while True:
            await self._bench.edge
            if self._port.value and not self._bench.dut.rst.value:
                self.cycles.append(self._bench.cycle)


class Lookup:
    """Serves the ``Out(Lookup(...))`` member ``name``: an index's entry comes a cycle later."""

    def __init__(self, bench: Bench, name: str, table: Callable[[int], int]):
        self._edge = bench.edge
        self._index: Any = getattr(bench.dut, f"{name}__index")
        self._entry: Any = getattr(bench.dut, f"{name}__entry")
        self._table = table
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        set_value(self._entry, 0)
        while True:
            await self._edge
            index = self._index.value
            if index.is_resolvable:
                set_value(self._entry, self._table(unsigned(index)))
