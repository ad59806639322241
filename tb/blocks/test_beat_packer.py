"""The beat packer: words in beats in order, one word a cycle, under any stall."""

import random

import cocotb
import pytest

from hw.blocks.beat_packer import BeatPacker
from tb.layouts import encode_words
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, Source

SHAPES = {"sixteen": (4, 64), "two": (32, 64), "one": (64, 64)}


async def check(dut: object, stall_in: float, stall_out: float) -> tuple[Source, Sink, int]:
    """Send words of 12 beats and compare the beats."""
    word_bits, beat_bits = parameters()["word_bits"], parameters()["beat_bits"]
    count = beat_bits // word_bits
    bench = Bench(dut)
    source = Source(bench, "word", stall=stall_in, seed=1)
    sink = Sink(bench, "beat", stall=stall_out, seed=2)
    await bench.reset()
    pick = random.Random(3)
    words = [pick.getrandbits(word_bits) for _ in range(12 * count)]
    source.put(words)
    beats = await sink.wait(12, limit=2000)
    assert beats == [
        encode_words(word_bits, words[at : at + count]) for at in range(0, len(words), count)
    ]
    return source, sink, count


@cocotb.test()
async def without_stalls(dut: object) -> None:
    """A word every cycle, and each beat on its cycle."""
    source, sink, count = await check(dut, 0.0, 0.0)
    sent = [cycle for cycle, _ in source.sent]
    assert sent == list(range(sent[0], sent[0] + len(sent)))
    assert [cycle for cycle, _ in sink.taken] == [
        cycle + BeatPacker.latency for cycle in sent[count - 1 :: count]
    ]


@cocotb.test()
async def with_stalls(dut: object) -> None:
    """Gaps in the words, and beats that wait."""
    await check(dut, 0.3, 0.6)


@pytest.mark.parametrize("name", SHAPES)
def test_beat_packer(name: str) -> None:
    word_bits, beat_bits = SHAPES[name]
    given = {"word_bits": word_bits, "beat_bits": beat_bits}
    simulate(BeatPacker(word_bits, beat_bits), __name__, f"beat_packer_{name}", given=given)


def test_a_beat_holds_whole_words() -> None:
    with pytest.raises(ValueError, match="beat_bits is 64, but must be a multiple of 24"):
        BeatPacker(24, 64)
