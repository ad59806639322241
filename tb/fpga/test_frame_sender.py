"""The frame sender: flags, escapes and check sequence around any bytes, under any stalls."""

import random
from typing import Any

import cocotb

from hw.fpga.frame_sender import FrameByte, FrameSender
from tb.fpga.frames import frame, random_content
from tb.runner import simulate
from tb.streams import Bench, Sink, Source


def items(content: bytes) -> list[dict[str, int]]:
    """A frame's bytes as the sender takes them."""
    last = len(content) - 1
    return [{"value": byte, "last": int(place == last)} for place, byte in enumerate(content)]


class Rig:
    """Bytes into the sender, and what it sends."""

    def __init__(self, dut: Any, stall: float = 0.0):
        self.bench = Bench(dut)
        self.source = Source(self.bench, "item", FrameByte, stall=stall, seed=1)
        self.sink = Sink(self.bench, "byte", stall=stall, seed=2)

    async def check(self, frames: list[bytes]) -> None:
        """Send frames one behind the other."""
        before = len(self.sink.words)
        expected = b"".join(frame(content) for content in frames)
        for content in frames:
            self.source.put(items(content))
        await self.sink.wait(before + len(expected))
        await self.bench.cycles(10)
        assert bytes(self.sink.words[before:]) == expected


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.3, 0.8])
async def frames(dut: Any, stall: float) -> None:
    """Of one byte and more, of bytes that must be escaped and others."""
    rig = Rig(dut, stall)
    await rig.bench.reset()
    rng = random.Random(4)
    # Of 300 check sequences some must be escaped, in either byte.
    await rig.check([random_content(rng, rng.randrange(1, 12)) for _ in range(300)])
    cycles = [cycle for cycle, _ in rig.sink.taken]
    if stall == 0:
        assert cycles == list(range(cycles[0], cycles[0] + len(cycles)))


@cocotb.test()
async def reset_within_a_frame(dut: Any) -> None:
    """The frame ends there, and the next one is whole."""
    bench = Bench(dut)
    for size in range(1, len(frame(b"broken"))):
        rig = Rig(dut)
        await bench.reset()
        rig.source.put(items(b"broken"))
        await rig.sink.wait(size)
        rig.source.stop()
        rig.sink.stop()
        await bench.reset()
        again = Rig(dut, 0.2)
        await again.check([b"whole", b"another"])
        again.source.stop()
        again.sink.stop()


def test_frame_sender() -> None:
    simulate(FrameSender(), __name__, "frame_sender")
