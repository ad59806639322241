"""The frame receiver: whole frames to the byte, and nothing of what is none."""

import random
from typing import Any

import cocotb

from hw.fpga.frame_receiver import FrameReceiver
from hw.fpga.protocol import LONGEST_FRAME
from tb.fpga.frames import ESCAPE, FLAG, check_sequence, escape, frame, random_content
from tb.runner import simulate
from tb.streams import Bench, Source

LONGEST = LONGEST_FRAME - 2
"""Bytes of the longest content."""


class Rig:
    """Bytes into the receiver, and a user of what it holds."""

    def __init__(self, dut: Any, stall: float = 0.0):
        self.bench, self.dut = Bench(dut), dut
        self.source = Source(self.bench, "byte", stall=stall, seed=1)
        dut.release.value = 0
        dut.content__index.value = 0

    async def send(self, line: bytes) -> bytes | None:
        """Send bytes; the frame that is then held, which is released, or None."""
        self.source.put(line)
        await self.source.drain()
        await self.bench.cycles(2)
        if not self.dut.held.value:
            return None
        content = await self.content()
        self.dut.release.value = 1
        await self.bench.cycles()
        self.dut.release.value = 0
        await self.bench.cycles()
        assert not self.dut.held.value
        return content

    async def content(self) -> bytes:
        """The frame that is held."""
        found = bytearray()
        for index in range(int(self.dut.length.value)):
            self.dut.content__index.value = index
            await self.bench.cycles(2)
            found.append(int(self.dut.content__entry.value))
        return bytes(found)


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.6])
async def whole_frames(dut: Any, stall: float) -> None:
    """Of any length that a request may have, a byte a cycle or fewer, whatever their bytes are."""
    rig = Rig(dut, stall)
    await rig.bench.reset()
    rng = random.Random(1)
    for size in (2, 3, LONGEST, *(rng.randrange(2, 40) for _ in range(30)), LONGEST - 1):
        content = random_content(rng, size)
        assert await rig.send(frame(content)) == content
        assert await rig.send(bytes((FLAG,)) * rng.randrange(3)) is None


@cocotb.test()
async def what_is_no_frame_is_dropped(dut: Any) -> None:
    """Each kind by itself, and right before a whole frame, which is found behind it."""
    rig = Rig(dut)
    await rig.bench.reset()
    rng = random.Random(2)
    plain = b"request" + check_sequence(b"request")
    flag = bytes((FLAG,))
    wrong = {
        "one bit": [
            flag + escape((int.from_bytes(plain) ^ 1 << bit).to_bytes(len(plain))) + flag
            for bit in range(8 * len(plain))
        ],
        "a byte too many": [flag + escape(plain + bytes((byte,))) + flag for byte in range(256)],
        "too short": [frame(b""), frame(b"x")],
        "too long": [frame(random_content(rng, size)) for size in (LONGEST + 1, LONGEST + 9)],
        "broken off": [frame(b"request")[:size] for size in range(1, 10)],
        "abandoned": [flag + escape(plain) + bytes((ESCAPE, FLAG))],
        "before a flag": [b"request", escape(plain), rng.randbytes(200).replace(flag, b"")],
    }
    for kind, lines in wrong.items():
        for line in lines:
            assert await rig.send(line) is None, kind
            # The flag before the whole frame closes a broken one.
            assert await rig.send(frame(b"whole")) == b"whole", kind


@cocotb.test()
async def garbage(dut: Any) -> None:
    """Random bytes, flags among them, never make a frame; the next whole one is found."""
    rig = Rig(dut)
    await rig.bench.reset()
    rng = random.Random(3)
    for _ in range(60):
        assert await rig.send(random_content(rng, rng.randrange(1, 60))) is None
        assert await rig.send(frame(b"whole")) == b"whole"


@cocotb.test()
async def bytes_while_a_frame_is_held_are_dropped(dut: Any) -> None:
    """What is held stays; a frame whose flag came meanwhile is none, the next one is."""
    rig = Rig(dut)
    await rig.bench.reset()
    late = frame(b"late")
    for size in range(1, len(late) + 1):
        rig.source.put(frame(b"first") + late[:size])
        await rig.source.drain()
        await rig.bench.cycles(2)
        assert await rig.send(b"") == b"first"
        rest = late[size:]
        assert await rig.send(rest) is None
        assert await rig.send(frame(b"next")) == b"next"


@cocotb.test()
async def reset_within_a_frame(dut: Any) -> None:
    """What had come is forgotten, and what follows needs a flag."""
    rig = Rig(dut)
    await rig.bench.reset()
    whole = frame(b"whole")
    for size in range(1, len(whole) + 1):
        rig.source.put(whole[:size])
        await rig.source.drain()
        await rig.bench.reset()
        assert await rig.send(whole[size:]) is None
        assert await rig.send(whole) == b"whole"


def test_frame_receiver() -> None:
    simulate(FrameReceiver(), __name__, "frame_receiver")
