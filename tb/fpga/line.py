"""A serial line into and out of a component under test: bytes as bits on pins, and a pty for it."""

import os
import pty
import select
import subprocess
import tty
from collections.abc import Iterable, Sequence
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, Timer

CYCLE = 2000
"""Picoseconds of a clock cycle, as in `tb.streams.Bench`."""
_IDLE_SECONDS = 0.002
_IDLE_CYCLES = 2000
"""While neither side sends, the simulation waits for the other program, and goes on meanwhile."""


class SerialSender:
    """Sends bytes to a pin, one after the other; a bit lasts ``bit_ps`` picoseconds."""

    def __init__(self, pin: Any, bit_ps: int):
        self._pin, self._bit_ps = pin, bit_ps
        pin.value = 1

    async def send(self, content: Iterable[int]) -> None:
        """Send bytes, and the whole stop bit of the last."""
        for byte in content:
            level, lasting = 0, 0
            for bit in (0, *(byte >> place & 1 for place in range(8)), 1):
                if lasting and bit != level:
                    await self._hold(level, lasting)
                    lasting = 0
                level, lasting = bit, lasting + 1
            await self._hold(level, lasting)

    async def break_off(self, bits: int) -> None:
        """Hold the line at 0 for so many bits, as no byte does, and then at 1 for a byte."""
        await self._hold(0, bits)
        await self._hold(1, 10)

    async def _hold(self, level: int, bits: int) -> None:
        self._pin.value = level
        await Timer(bits * self._bit_ps, "ps")


class SerialReceiver:
    """Takes the bytes of a pin into ``taken``; fails where a stop bit is missing."""

    def __init__(self, pin: Any, bit_ps: int):
        self.taken: list[int] = []
        self._pin, self._bit_ps = pin, bit_ps
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        while True:
            await FallingEdge(self._pin)
            await Timer(3 * self._bit_ps // 2, "ps")
            byte = 0
            for place in range(8):
                byte |= int(self._pin.value) << place
                await Timer(self._bit_ps, "ps")
            assert self._pin.value == 1, "a byte without a stop bit"
            self.taken.append(byte)


class PseudoTerminal:
    """A serial port of the operating system whose other end are the component's pins."""

    def __init__(self, sender: SerialSender, receiver: SerialReceiver):
        self._sender, self._receiver = sender, receiver
        self._ours, self._theirs = pty.openpty()
        tty.setraw(self._theirs)
        self.name = os.ttyname(self._theirs)

    async def serve(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a program, and carry bytes between it and the pins until it ends."""
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            given = 0
            while process.poll() is None:
                ready, _, _ = select.select([self._ours], [], [], _IDLE_SECONDS)
                if ready:
                    await self._sender.send(os.read(self._ours, 4096))
                else:
                    await Timer(_IDLE_CYCLES * CYCLE, "ps")
                os.write(self._ours, bytes(self._receiver.taken[given:]))
                given = len(self._receiver.taken)
            out, error = process.communicate()
        return subprocess.CompletedProcess(command, process.returncode, out, error)

    def close(self) -> None:
        """Take the port away."""
        os.close(self._ours)
        os.close(self._theirs)
