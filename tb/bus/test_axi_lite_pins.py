"""The control registers pin by pin: what a bus master's library does not do to them."""

import random
from typing import Any

import cocotb
from cocotbext.axi import AxiResp

from hw.bus.axi_lite import ControlRegisters
from hw.config import PRESETS
from tb.control import HOST_INIT, INTERRUPT_ENABLE, OFFSETS, START, quiet_engine
from tb.runner import simulate
from tb.streams import Bench, set_value, spoil, unsigned

OKAY, SLVERR, DECERR = int(AxiResp.OKAY), int(AxiResp.SLVERR), int(AxiResp.DECERR)
READ_ONLY, UNKNOWN = OFFSETS["ID"], 0xFFC
_PATIENCE = 50
"""Cycles for a handshake."""


class Pins:
    """Drives the bus itself. What is not valid is garbage, and stays so."""

    _WRITE, _READ = ("awaddr", "wdata", "wstrb"), ("araddr",)

    def __init__(self, dut: Any, seed: int):
        self.dut = dut
        self.bench = Bench(dut)
        self._random = random.Random(seed)
        for name in ("awvalid", "wvalid", "bready", "arvalid", "rready"):
            self._pin(name).value = 0
        quiet_engine(dut)
        self._spoil(*self._WRITE, *self._READ)

    def _pin(self, name: str) -> Any:
        return getattr(self.dut, f"bus__{name}")

    def _spoil(self, *names: str) -> None:
        for name in names:
            spoil(self._pin(name), self._random)

    async def send(self, offset: int, word: int, strobe: int = 15) -> None:
        """Give address and data of a write; the response waits until `response` takes it."""
        set_value(self._pin("awaddr"), offset)
        set_value(self._pin("wdata"), word)
        set_value(self._pin("wstrb"), strobe)
        waiting = {"aw", "w"}
        for channel in waiting:
            self._pin(f"{channel}valid").value = 1
        for _ in range(_PATIENCE):
            await self.bench.cycles()
            for channel in sorted(waiting):
                if self._pin(f"{channel}ready").value:
                    self._pin(f"{channel}valid").value = 0
                    waiting.remove(channel)
            if not waiting:
                break
        assert not waiting, f"{waiting} not taken"
        self._spoil(*self._WRITE)

    async def response(self) -> int:
        """Take the response of a write."""
        self._pin("bready").value = 1
        for _ in range(_PATIENCE):
            await self.bench.cycles()
            if self._pin("bvalid").value:
                self._pin("bready").value = 0
                return unsigned(self._pin("bresp").value)
        raise AssertionError("no response")

    async def write(self, offset: int, word: int, strobe: int = 15) -> int:
        """A whole write; its response."""
        await self.send(offset, word, strobe)
        return await self.response()

    async def read(self, offset: int) -> tuple[int, int]:
        """The word, and the response."""
        set_value(self._pin("araddr"), offset)
        self._pin("arvalid").value = self._pin("rready").value = 1
        for _ in range(_PATIENCE):
            await self.bench.cycles()
            if self._pin("arvalid").value and self._pin("arready").value:
                self._pin("arvalid").value = 0
                self._spoil(*self._READ)
            if self._pin("rvalid").value:
                self._pin("rready").value = 0
                return unsigned(self._pin("rdata").value), unsigned(self._pin("rresp").value)
        raise AssertionError("no data")


@cocotb.test()
async def writes_wait_for_the_first_response(dut: Any) -> None:
    """A second one is taken meanwhile, and neither acts nor answers; a third one is not taken."""
    pins = Pins(dut, 1)
    await pins.bench.reset()
    assert await pins.write(OFFSETS["SEED"], 5) == OKAY
    cases = [
        ((READ_ONLY, 1, SLVERR), (OFFSETS["SEED"], 6, OKAY)),
        ((OFFSETS["SEED"], 7, OKAY), (UNKNOWN, 1, DECERR)),
        ((UNKNOWN, 1, DECERR), (OFFSETS["SEED"], 8, OKAY)),
    ]
    for (offset, word, first), (other, other_word, second) in cases:
        seed = (await pins.read(OFFSETS["SEED"]))[0]
        await pins.send(offset, word)
        await pins.send(other, other_word)
        third = cocotb.start_soon(pins.send(OFFSETS["EPSILON"], word))
        await pins.bench.cycles(8)
        assert await pins.read(OFFSETS["SEED"]) == (word if first == OKAY else seed, OKAY)
        assert await pins.response() == first
        assert await pins.response() == second
        await third
        assert await pins.response() == OKAY
        assert await pins.read(OFFSETS["EPSILON"]) == (word, OKAY)
        assert await pins.read(OFFSETS["SEED"]) == (other_word if second == OKAY else word, OKAY)


@cocotb.test()
async def bytes_without_a_strobe_are_nothing(dut: Any) -> None:
    """They are not written, not refused, and start no job, whatever they hold."""
    pins = Pins(dut, 2)
    await pins.bench.reset()
    rng = random.Random(3)
    value = 0
    for _ in range(64):
        word, strobe = rng.getrandbits(32), rng.getrandbits(4)
        assert await pins.write(OFFSETS["SEED"], word, strobe) == OKAY
        mask = sum(0xFF << 8 * byte for byte in range(4) if strobe >> byte & 1)
        value = value & ~mask | word & mask
        assert await pins.read(OFFSETS["SEED"]) == (value, OKAY)
    assert await pins.write(OFFSETS["EPSILON"], 0xFFFF_1234, 0b0011) == OKAY
    assert await pins.read(OFFSETS["EPSILON"]) == (0x1234, OKAY)
    assert await pins.write(OFFSETS["CONTROL"], 0xFFFF_FFFF, 0) == OKAY
    assert await pins.write(OFFSETS["CONTROL"], 0xFFFF_FF00 | HOST_INIT, 0b0001) == OKAY
    assert await pins.read(OFFSETS["CONTROL"]) == (HOST_INIT, OKAY)
    assert START | INTERRUPT_ENABLE | HOST_INIT < 0x100
    assert await pins.write(OFFSETS["CONTROL"], START, 0b1110) == OKAY
    await pins.bench.cycles(4)
    assert dut.busy.value == 0


@cocotb.test()
async def an_unknown_word_reads_zero_after_any_other(dut: Any) -> None:
    """And a known one after an unknown one is answered as well."""
    pins = Pins(dut, 4)
    await pins.bench.reset()
    assert await pins.write(OFFSETS["SEED"], 0xFFFF_FFFF) == OKAY
    known = set(OFFSETS.values())
    for offset in range(0, 1 << 12, 4):
        if offset not in known:
            assert await pins.read(OFFSETS["SEED"]) == (0xFFFF_FFFF, OKAY)
            assert await pins.read(offset) == (0, DECERR), f"{offset:#x}"


def test_axi_lite_pins() -> None:
    config = PRESETS["tiny"]
    simulate(ControlRegisters(config), __name__, "axi_lite_pins", given=config.as_dict())
