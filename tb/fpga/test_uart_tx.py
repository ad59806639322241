"""The UART transmitter: bits on a pin, as long as they must be, and the line idle else."""

import random
from typing import Any

import cocotb
import pytest
from cocotb.triggers import Timer

from hw.fpga.uart_tx import UartTransmitter
from tb.fpga.line import CYCLE, SerialReceiver
from tb.runner import parameters, simulate
from tb.streams import Bench, Source

DIVISORS = {"fast": 4, "odd": 17, "board": 25}


class Rig:
    """Bytes into the transmitter, and what comes out of the line."""

    def __init__(self, dut: Any, stall: float = 0.0):
        self.bench = Bench(dut)
        self.byte_cycles = 10 * parameters()["divisor"]
        self.source = Source(self.bench, "byte", stall=stall, seed=1)

    async def start(self) -> None:
        """Reset: the line is idle from then on."""
        await self.bench.reset()
        self.receiver = SerialReceiver(self.bench.dut.tx, parameters()["divisor"] * CYCLE)

    async def check(self, content: bytes) -> None:
        """Send bytes, and take all of them."""
        before = len(self.receiver.taken)
        self.source.put(content)
        await self.source.drain()
        await self.bench.cycles(self.byte_cycles + 2)
        assert bytes(self.receiver.taken[before:]) == content


@cocotb.test()
async def bytes_of_all_values(dut: Any) -> None:
    """One right behind the other, each in ten bits."""
    rig = Rig(dut)
    await rig.start()
    await rig.check(bytes(random.Random(1).sample(range(256), 256)))
    begun = [cycle for cycle, _ in rig.source.sent]
    assert begun == list(range(begun[0], begun[0] + 256 * rig.byte_cycles, rig.byte_cycles))


@cocotb.test()
async def with_stalls(dut: Any) -> None:
    """Pauses between bytes leave the line idle."""
    rig = Rig(dut, stall=0.99)
    await rig.start()
    await rig.check(random.Random(2).randbytes(60))


@cocotb.test()
async def reset_within_a_byte(dut: Any) -> None:
    """The line is idle from the reset on, and the next byte is whole."""
    rig = Rig(dut)
    await rig.start()
    for bits in range(1, 9):
        rig.source.put(b"\x00")
        await rig.source.drain()
        await Timer(bits * rig.byte_cycles // 10 * CYCLE, "ps")
        assert dut.tx.value == 0
        await rig.bench.reset()
        await rig.bench.cycles(1)
        assert dut.tx.value == 1
        await rig.bench.cycles(rig.byte_cycles)
        rig.receiver.taken.clear()
        await rig.check(b"after")


@pytest.mark.parametrize("name", DIVISORS)
def test_uart_tx(name: str) -> None:
    divisor = DIVISORS[name]
    simulate(UartTransmitter(divisor), __name__, f"uart_tx_{name}", given={"divisor": divisor})
