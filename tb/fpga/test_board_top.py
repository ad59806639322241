"""The board's design through its two pins: `orbis match` on it, and what else a host may send."""

import json
import random
import sys
from typing import Any

import cocotb
import numpy as np
import torch
from cocotb.clock import Clock
from cocotb.triggers import Timer

from golden.datm import match
from golden.options import MatchOptions
from golden.qe import quantize
from hw.config import PRESETS
from hw.fpga.board_top import BoardTop
from hw.regions import REGIONS, JobSizes
from hw.words import dst_word
from tb.control import BUSY, DONE, OFFSETS, job_writes
from tb.fpga.frames import FLAG, contents, frame
from tb.fpga.line import CYCLE, PseudoTerminal, SerialReceiver, SerialSender
from tb.jobs import MatchCase, random_tokens
from tb.layouts import from_bytes
from tb.runner import simulate

CONFIG = PRESETS["tiny"]
DIVISOR = 4
"""Cycles of a bit: fewer than on a board, for the simulation's sake."""
IDENTIFY, RESET, READ_REGISTER, WRITE_REGISTER, READ_MEMORY, WRITE_MEMORY = range(6)
OK, BAD_OPERATION = 0, 1
PATIENCE = 40_000
"""Cycles in which the longest reply has come."""
ORBIS = [sys.executable, "-c", "from software.commands.cli import main; main()"]


class Rig:
    """The design, its clock, and its line."""

    def __init__(self, dut: Any):
        self.dut = dut
        Clock(dut.clk, CYCLE, unit="ps").start()
        self.sender = SerialSender(dut.rx, DIVISOR * CYCLE)
        self.receiver = SerialReceiver(dut.tx, DIVISOR * CYCLE)

    async def reset(self) -> None:
        """Hold the reset for some cycles."""
        self.dut.rst.value = 1
        await self.cycles(4)
        self.dut.rst.value = 0
        await self.cycles(4)

    async def cycles(self, count: int) -> None:
        """Let some cycles go by."""
        await Timer(count * CYCLE, "ps")

    async def ask(self, operation: int, arguments: bytes = b"") -> tuple[int, bytes]:
        """Status and data of the one reply to a request."""
        before = len(self.receiver.taken)
        await self.sender.send(frame(bytes((0x7D, operation)) + arguments))
        found: list[bytes] = []
        for _ in range(PATIENCE // 100):
            await self.cycles(100)
            line = self.receiver.taken[before:]
            if len(line) > 1 and line[-1] == FLAG:
                found = contents(line)
                break
        (answer,) = found
        assert answer[0] == 0x7D
        return answer[1], answer[2:]

    async def read(self, name: str) -> int:
        """Read a register of one word."""
        status, value = await self.ask(READ_REGISTER, little(OFFSETS[name]))
        assert status == OK
        return int.from_bytes(value, "little")

    async def start(self, case: MatchCase) -> None:
        """Write a job's tokens and registers, and start it; its regions lie side by side."""
        written: list[tuple[int, bytes]] = []
        case.load(lambda address, content: written.append((address, content)))
        for address, content in written:
            for first in range(0, len(content), 1024):
                part = little(address + first) + content[first : first + 1024]
                assert await self.ask(WRITE_MEMORY, part) == (OK, b"")
        for offset, value in job_writes(case.order() | addresses(case)):
            assert await self.ask(WRITE_REGISTER, little(offset) + little(value)) == (OK, b"")


def little(value: int, size: int = 4) -> bytes:
    """A number as it lies in a request."""
    return value.to_bytes(size, "little")


def addresses(case: MatchCase) -> dict[str, int]:
    """Where each region of a job begins: the first one where `MatchCase.load` writes it."""
    found, address = {}, 0
    for region in REGIONS:
        found[f"{region.name.lower()}_address"] = address
        address += region.bytes(case.sizes)
    return found


@cocotb.test()
@cocotb.parametrize(
    (
        ("num_tokens", "channels", "num_dst", "reduce", "init"),
        [(64, 64, 16, 24, False), (21, 30, 5, 9, True)],
    )
)
async def the_command_line_matches_on_it(
    dut: Any, num_tokens: int, channels: int, num_dst: int, reduce: int, init: bool
) -> None:
    """Through a serial port of the system: the arrays of the golden model, for 64 tokens too."""
    rig = Rig(dut)
    await rig.reset()
    tokens = random_tokens(CONFIG, num_tokens, channels, 5)
    np.save("tokens.npy", tokens.numpy())
    first = tuple(range(num_dst)) if init else None
    np.save("first.npy", np.arange(num_dst))
    port = PseudoTerminal(rig.sender, rig.receiver)
    given = ["tokens.npy", "--num-dst", str(num_dst), "--reduce", str(reduce), "--json"]
    given += ["--init", "first.npy"] if init else ["--seed", "3"]
    done = await port.serve(
        [*ORBIS, "match", *given, "--backend", f"fpga:{port.name}", "-o", "pairs.npz"]
    )
    port.close()
    assert done.returncode == 0, done.stderr
    options = MatchOptions(init=first) if init else MatchOptions(seed=3)
    expected = match(quantize(tokens), num_dst, reduce, options)
    assert expected.iterations > 1
    found = np.load("pairs.npz")
    for name in ("src", "dst", "loss", "medoids"):
        assert torch.equal(torch.from_numpy(found[name]), getattr(expected, name)), name
    assert tuple(found["loss_history"]) == expected.loss_history
    assert json.loads(done.stdout)["cycles"] == found["cycles"] > 0


@cocotb.test()
async def what_is_no_request_is_not_answered(dut: Any) -> None:
    """Whatever comes over the line, the next whole request is answered, and nothing else."""
    rig = Rig(dut)
    await rig.reset()
    size = sum(region.bytes(JobSizes(CONFIG, 64, 64, 32)) for region in REGIONS)
    identity = (OK, bytes((1,)) + little(1024, 2) + little(size))
    rng = random.Random(1)
    request = frame(bytes((1, READ_MEMORY)) + little(0) + little(4, 2))
    broken = bytearray(request)
    broken[4] ^= 1
    wrong = [
        rng.randbytes(300), request[:-3], request[1:-1], bytes(broken), frame(b""), b"\x7e" * 5,
        frame(rng.randbytes(1100)),
    ]  # fmt: skip
    for line in wrong:
        before = len(rig.receiver.taken)
        await rig.sender.send(line)
        await rig.cycles(1000)
        assert len(rig.receiver.taken) == before
        assert await rig.ask(IDENTIFY) == identity
    await rig.sender.break_off(37)
    assert await rig.ask(IDENTIFY) == identity
    assert await rig.ask(9) == (BAD_OPERATION, b"")


@cocotb.test()
async def a_request_during_a_reply_is_lost(dut: Any) -> None:
    """The reply under way is whole, and the next request is served."""
    rig = Rig(dut)
    await rig.reset()
    asked = frame(bytes((1, READ_MEMORY)) + little(16) + little(200, 2))
    await rig.sender.send(asked)
    for _ in range(3):
        await rig.sender.send(frame(bytes((2, IDENTIFY))))
    await rig.cycles(PATIENCE)
    (reply,) = contents(rig.receiver.taken)
    assert reply[:2] == bytes((1, OK))
    assert len(reply) == 202
    assert (await rig.ask(IDENTIFY))[0] == OK


@cocotb.test()
async def reset_within_a_job(dut: Any) -> None:
    """RESET ends a job, at any time of it; the next one finds what it must."""
    rig = Rig(dut)
    await rig.reset()
    case = MatchCase(CONFIG, random_tokens(CONFIG, 30, 64, 9), 8, 10, MatchOptions(seed=1))
    dst = addresses(case)["dst_address"]
    for wait in (1, 700, 2500, 6000):
        await rig.start(case)
        await rig.cycles(wait)
        assert await rig.read("STATUS") == BUSY
        assert await rig.ask(RESET) == (OK, b"")
        assert await rig.read("STATUS") == 0
    await rig.start(case)
    while await rig.read("STATUS") != DONE:
        await rig.cycles(1000)
    status, words = await rig.ask(READ_MEMORY, little(dst) + little(8 * 8, 2))
    assert status == OK
    assert [word["token"] for word in from_bytes(dst_word(), words)] == (
        case.expect().medoids.tolist()
    )


def test_board_top() -> None:
    simulate(BoardTop(CONFIG, DIVISOR), __name__, "board_top")
