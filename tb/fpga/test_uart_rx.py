"""The UART receiver, from bits on a pin: bytes at once or with pauses, odd speeds, and no bytes."""

import random
from typing import Any

import cocotb
import pytest
from cocotb.triggers import Timer

from hw.fpga.uart_rx import UartReceiver
from tb.fpga.line import CYCLE, SerialSender
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink

DIVISORS = {"fast": 4, "odd": 17, "board": 25}


class Rig:
    """A line into the receiver, as fast as ``speed`` says against its own."""

    def __init__(self, dut: Any, speed: float = 1.0):
        self.bench = Bench(dut)
        self.bit = round(parameters()["divisor"] * CYCLE / speed)
        self.sender = SerialSender(dut.rx, self.bit)
        self.sink = Sink(self.bench, "byte")

    async def check(self, content: bytes) -> None:
        """Send bytes one right behind the other."""
        before = len(self.sink.words)
        await self.sender.send(content)
        await self.bench.cycles(4)
        assert bytes(self.sink.words[before:]) == content


@cocotb.test()
@cocotb.parametrize(speed=[0.97, 1.0, 1.03])
async def bytes_of_all_values(dut: Any, speed: float) -> None:
    """Without a pause, and after pauses that are no whole cycles."""
    if speed != 1 and parameters()["divisor"] < 16:
        return
    rig = Rig(dut, speed)
    await rig.bench.reset()
    rng = random.Random(1)
    await rig.check(bytes(rng.sample(range(256), 256)))
    for _ in range(20):
        await Timer(rng.randrange(1, 3 * rig.bit), "ps")
        await rig.check(rng.randbytes(3))


@cocotb.test()
async def what_is_no_byte_is_dropped(dut: Any) -> None:
    """A line held at 0, and a start bit that is over before its middle."""
    rig = Rig(dut)
    await rig.bench.reset()
    await rig.sender.break_off(15)
    assert not rig.sink.words
    dut.rx.value = 0
    await Timer(CYCLE, "ps")
    dut.rx.value = 1
    await Timer(10 * rig.bit, "ps")
    assert not rig.sink.words
    await rig.check(b"\x00\xff\x55")


@cocotb.test()
async def reset_within_a_byte(dut: Any) -> None:
    """A reset forgets what it had of a byte."""
    rig = Rig(dut)
    await rig.bench.reset()
    for bits in range(1, 10):
        cocotb.start_soon(rig.sender.send(b"\xff"))
        await Timer(bits * rig.bit, "ps")
        await rig.bench.reset()
        await Timer(10 * rig.bit, "ps")
        assert not rig.sink.words
    await rig.check(b"after")


@pytest.mark.parametrize("name", DIVISORS)
def test_uart_rx(name: str) -> None:
    divisor = DIVISORS[name]
    simulate(UartReceiver(divisor), __name__, f"uart_rx_{name}", given={"divisor": divisor})


def test_a_bit_of_too_few_cycles_is_refused() -> None:
    with pytest.raises(ValueError, match="divisor is 3"):
        UartReceiver(3)
