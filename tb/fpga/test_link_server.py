"""The link server: what each request does and answers, with what is wrong in it and without."""

import random
from collections.abc import Iterator
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from hw.fpga.frame_sender import FrameByte
from hw.fpga.link_server import LinkServer
from tb.runner import simulate
from tb.streams import Bench, Lookup, Sink

MEMORY_BYTES = 5000
MAX_DATA = 1024
IDENTIFY, RESET, READ_REGISTER, WRITE_REGISTER, READ_MEMORY, WRITE_MEMORY = range(6)
OK, BAD_OPERATION, BAD_LENGTH, BAD_ADDRESS, REFUSED, NO_REGISTER = range(6)
SLVERR, DECERR = 2, 3


class Registers:
    """An AXI4-Lite slave that takes its time; ``refused`` are offsets by the error they give."""

    def __init__(self, bench: Bench, seed: int):
        self.values: dict[int, int] = {}
        self.refused: dict[int, int] = {}
        self._bench, self._dut = bench, bench.dut
        self._random = random.Random(f"{seed} registers")
        for channel in ("aw", "w", "ar"):
            getattr(self._dut, f"control__{channel}ready").value = 0
        for channel in ("b", "r"):
            getattr(self._dut, f"control__{channel}valid").value = 0
        cocotb.start_soon(self._writes())
        cocotb.start_soon(self._reads())

    async def _take(self, channel: str, payload: str) -> int:
        """The payload of a channel, taken after some cycles."""
        valid = getattr(self._dut, f"control__{channel}valid")
        ready = getattr(self._dut, f"control__{channel}ready")
        while self._dut.rst.value or not valid.value:
            await RisingEdge(self._dut.clk)
        await self._bench.cycles(self._random.randrange(4))
        ready.value = 1
        await RisingEdge(self._dut.clk)
        assert valid.value, f"{channel}: valid dropped before the transfer"
        ready.value = 0
        return int(getattr(self._dut, f"control__{payload}").value)

    async def _answer(self, channel: str, offset: int) -> None:
        valid = getattr(self._dut, f"control__{channel}valid")
        getattr(self._dut, f"control__{channel}resp").value = self.refused.get(offset, 0)
        await self._bench.cycles(self._random.randrange(1, 5))
        valid.value = 1
        await RisingEdge(self._dut.clk)
        valid.value = 0

    async def _writes(self) -> None:
        while True:
            address = cocotb.start_soon(self._take("aw", "awaddr"))
            data = cocotb.start_soon(self._take("w", "wdata"))
            offset, value = await address, await data
            assert self._dut.control__wstrb.value == 0xF
            if offset not in self.refused:
                self.values[offset] = value
            await self._answer("b", offset)

    async def _reads(self) -> None:
        while True:
            offset = await self._take("ar", "araddr")
            self._dut.control__rdata.value = self.values.get(offset, 0)
            await self._answer("r", offset)


class Rig:
    """A server with a memory, registers, and a request now and then."""

    def __init__(self, dut: Any, stall: float = 0.0):
        self.bench, self.dut = Bench(dut), dut
        self.memory = bytearray(random.Random(1).randbytes(MEMORY_BYTES))
        self.registers = Registers(self.bench, 2)
        self.reply = Sink(self.bench, "reply", FrameByte, stall=stall, seed=3)
        self.resets = 0
        self._request = b""
        self._garbage = random.Random(4)
        Lookup(self.bench, "content", self._content)
        dut.held.value = 0
        dut.length.value = 0
        cocotb.start_soon(self._run())

    def _content(self, index: int) -> int:
        """A byte of the request; behind its end, anything."""
        return self._request[index] if index < len(self._request) else self._garbage.randrange(256)

    async def _run(self) -> None:
        dut = self.dut
        while True:
            await self.bench.edge
            self.resets += int(dut.reset.value)
            if dut.memory__enable.value:
                address = int(dut.memory__address.value)
                assert address < MEMORY_BYTES, "beyond the memory"
                if dut.memory__write.value:
                    self.memory[address] = int(dut.memory__data.value)
                dut.memory__entry.value = self.memory[address]
            else:
                dut.memory__entry.value = self._garbage.randrange(256)

    async def ask(self, tag: int, operation: int, arguments: bytes = b"") -> tuple[int, bytes]:
        """Status and data of the reply to a request."""
        before = len(self.reply.words)
        self._request = bytes((tag, operation)) + arguments
        self.dut.length.value = len(self._request)
        self.dut.held.value = 1
        while not self.dut.release.value:
            await self.bench.edge
        self.dut.held.value = 0
        await self.bench.cycles(2)
        items = self.reply.values[before:]
        assert [item["last"] for item in items] == [0] * (len(items) - 1) + [1]
        answer = bytes(item["value"] for item in items)
        assert answer[0] == tag
        return answer[1], answer[2:]


def little(value: int, size: int = 4) -> bytes:
    """A number as it lies in a request."""
    return value.to_bytes(size, "little")


def wrong_requests() -> Iterator[tuple[int, int, bytes]]:
    """Status, operation and arguments of requests that must do nothing."""
    for operation in (6, 7, 128, 255):
        yield BAD_OPERATION, operation, little(0)
    sizes = {IDENTIFY: 0, RESET: 0, READ_REGISTER: 4, WRITE_REGISTER: 8, READ_MEMORY: 6}
    for operation, size in sizes.items():
        for other in {0, 1, size - 1, size + 1, size + 2, 100} - {size, -1}:
            yield BAD_LENGTH, operation, bytes(other)
    for size in range(5):
        yield BAD_LENGTH, WRITE_MEMORY, bytes(size)
    for count in (0, MAX_DATA + 1, 0xFFFF):
        yield BAD_LENGTH, READ_MEMORY, little(0) + little(count, 2)
    for address in (MEMORY_BYTES - 1, MEMORY_BYTES, 1 << 31, (1 << 32) - 1):
        yield BAD_ADDRESS, READ_MEMORY, little(address) + little(2, 2)
        yield BAD_ADDRESS, WRITE_MEMORY, little(address) + b"xy"
    for offset in (1 << 12, 1 << 31):
        yield NO_REGISTER, READ_REGISTER, little(offset)
        yield NO_REGISTER, WRITE_REGISTER, little(offset) + little(1)


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.7])
async def registers(dut: Any, stall: float) -> None:
    """Written and read, and refused with the engine's own errors."""
    rig = Rig(dut, stall)
    await rig.bench.reset()
    rng = random.Random(5)
    expected = {4 * rng.randrange(1 << 10): rng.getrandbits(32) for _ in range(20)}
    for tag, (offset, value) in enumerate(expected.items()):
        assert await rig.ask(tag, WRITE_REGISTER, little(offset) + little(value)) == (OK, b"")
    assert rig.registers.values == expected
    for tag, (offset, value) in enumerate(expected.items()):
        assert await rig.ask(255 - tag, READ_REGISTER, little(offset)) == (OK, little(value))
    rig.registers.refused = {8: SLVERR, 12: DECERR}
    for offset, status in ((8, REFUSED), (12, NO_REGISTER)):
        assert await rig.ask(1, READ_REGISTER, little(offset)) == (status, b"")
        assert await rig.ask(2, WRITE_REGISTER, little(offset) + little(1)) == (status, b"")
    assert (await rig.ask(3, READ_REGISTER, little(4)))[0] == OK
    assert rig.resets == 0


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.7])
async def memory(dut: Any, stall: float) -> None:
    """Bytes from any address, from one to as many as there may be, and no byte besides."""
    rig = Rig(dut, stall)
    await rig.bench.reset()
    rng = random.Random(6)
    model = bytearray(rig.memory)
    for size in (1, 2, 3, MAX_DATA, *(rng.randrange(1, 60) for _ in range(10))):
        for address in (0, MEMORY_BYTES - size, rng.randrange(MEMORY_BYTES - size)):
            content = rng.randbytes(size)
            model[address : address + size] = content
            assert await rig.ask(1, WRITE_MEMORY, little(address) + content) == (OK, b"")
            assert rig.memory == model
            address = rng.randrange(MEMORY_BYTES - size + 1)
            found = await rig.ask(2, READ_MEMORY, little(address) + little(size, 2))
            assert found == (OK, bytes(model[address : address + size]))
    assert rig.memory == model
    assert rig.resets == 0


@cocotb.test()
async def identity_and_reset(dut: Any) -> None:
    """What the board is, and a reset of one cycle for each that is asked for."""
    rig = Rig(dut)
    await rig.bench.reset()
    identity = bytes((1,)) + little(MAX_DATA, 2) + little(MEMORY_BYTES)
    for count in range(3):
        assert await rig.ask(7, IDENTIFY) == (OK, identity)
        assert rig.resets == count
        assert await rig.ask(8, RESET) == (OK, b"")


@cocotb.test()
async def wrong_requests_do_nothing(dut: Any) -> None:
    """Each is answered with what is wrong, and the next one is served."""
    rig = Rig(dut)
    await rig.bench.reset()
    before = bytes(rig.memory)
    for tag, (status, operation, arguments) in enumerate(wrong_requests()):
        assert await rig.ask(tag % 256, operation, arguments) == (status, b""), (operation, status)
        assert (await rig.ask(9, READ_REGISTER, little(4)))[0] == OK
    assert rig.memory == before
    assert rig.registers.values == {}
    assert rig.resets == 0


@cocotb.test()
async def reset_within_a_request(dut: Any) -> None:
    """A request that is under way is forgotten, whatever it does; the next one is served."""
    rig = Rig(dut)
    await rig.bench.reset()
    asked = {WRITE_MEMORY: little(0) + bytes(20), READ_MEMORY: little(0) + little(20, 2)}
    for operation, arguments in asked.items():
        for wait in range(1, 60, 7):
            under_way = cocotb.start_soon(rig.ask(1, operation, arguments))
            await rig.bench.cycles(wait)
            under_way.cancel()
            dut.held.value = 0
            await rig.bench.reset()
            rig.reply.taken.clear()
            found = await rig.ask(2, READ_MEMORY, little(30) + little(5, 2))
            assert found == (OK, bytes(rig.memory[30:35]))


def test_link_server() -> None:
    simulate(LinkServer(MEMORY_BYTES), __name__, "link_server")
