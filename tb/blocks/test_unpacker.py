"""The unpacker against plain slicing: words, their place in the row, and their cycles."""

import random
from itertools import pairwise
from typing import Any

import cocotb
import pytest

from hw.blocks.unpacker import Unpacker
from hw.config import PRESETS
from tb.layouts import decode_words
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, Source

TINY, DEMO = PRESETS["tiny"], PRESETS["demo"]
CONFIGS = {
    "tiny": {
        "beat_bits": TINY.bus_bits,
        "word_bits": TINY.chunk_bits,
        "max_words": TINY.max_chunks,
    },
    "demo": {
        "beat_bits": DEMO.bus_bits,
        "word_bits": DEMO.chunk_bits,
        "max_words": DEMO.max_chunks,
    },
    "whole-beats": {"beat_bits": 64, "word_bits": 64, "max_words": 5},
    "rows-within-a-beat": {"beat_bits": 128, "word_bits": 16, "max_words": 3},
    "one-word-rows": {"beat_bits": 64, "word_bits": 32, "max_words": 1},
}


Words = list[dict[str, int]]


def sink_of(bench: Bench, stall: float = 0.0) -> Sink:
    shape: Any = Unpacker(**parameters()).word.payload.shape()
    return Sink(bench, "word", shape, stall=stall, seed=2)


def row(pick: random.Random, words: int) -> tuple[list[int], Words, list[int]]:
    """The beats of a random row, the words expected of it, and the words of each beat."""
    beat_bits, word_bits = parameters()["beat_bits"], parameters()["word_bits"]
    per_beat = beat_bits // word_bits
    beats = [pick.getrandbits(beat_bits) for _ in range(-(-words // per_beat))]
    cut = [word for beat in beats for word in decode_words(word_bits, beat, per_beat)]
    expected = [
        {"data": data, "index": index, "first": int(index == 0), "last": int(index == words - 1)}
        for index, data in enumerate(cut[:words])
    ]
    counts = [min(per_beat, words - at) for at in range(0, words, per_beat)]
    return beats, expected, counts


async def check(dut: object, source_stall: float, sink_stall: float) -> tuple[Source, Sink]:
    """Send rows of every length; compare all words, and the cycle in which each beat is taken."""
    bench, pick = Bench(dut), random.Random(3)
    source = Source(bench, "beat", stall=source_stall, seed=1)
    sink = sink_of(bench, sink_stall)
    await bench.reset()
    expected: Words = []
    ends: list[int] = []
    for words in [*range(1, parameters()["max_words"] + 1), 1]:
        bench.dut.words.value = words
        await bench.cycles()
        for _ in range(8):
            beats, row_words, counts = row(pick, words)
            source.put(beats)
            for count in counts:
                ends.append((ends[-1] if ends else -1) + count)
            expected += row_words
        await source.drain()
    assert sink.values == expected
    # A beat goes with its last word.
    cycles = [cycle for cycle, _ in sink.taken]
    assert [cycle for cycle, _ in source.sent] == [cycles[end] for end in ends]
    if sink_stall == 0:
        # And where nothing holds it back, its first word left when it was offered.
        at = 0
        for end, (sent, _) in zip(ends, source.sent, strict=True):
            assert cycles[at : end + 1] == list(range(sent - (end - at), sent + 1))
            at = end + 1
    return source, sink


@cocotb.test()
async def a_word_every_cycle(dut: object) -> None:
    """Without stalls there is no gap between rows, but the one that draining makes."""
    _, sink = await check(dut, 0.0, 0.0)
    cycles = [cycle for cycle, _ in sink.taken]
    gaps = [later - earlier - 1 for earlier, later in pairwise(cycles)]
    assert sum(gap > 0 for gap in gaps) <= parameters()["max_words"]


@cocotb.test()
async def with_gaps_between_beats(dut: object) -> None:
    """Beats come late, words are taken at once: latency 0 shows."""
    assert Unpacker.latency == 0
    await check(dut, 0.5, 0.0)


@cocotb.test()
async def with_stalls(dut: object) -> None:
    """Idle cycles on both sides."""
    await check(dut, 0.4, 0.6)


@cocotb.test()
async def reset_within_a_row(dut: object) -> None:
    """After a reset the next beat starts a row."""
    bench, pick = Bench(dut), random.Random(4)
    words = parameters()["max_words"]
    bench.dut.words.value = words
    source, sink = Source(bench, "beat"), sink_of(bench)
    await bench.reset()
    source.put(row(pick, words)[0])
    await bench.cycles(2)
    source.stop()
    sink.stop()
    await bench.reset()
    again, result = Source(bench, "beat"), sink_of(bench)
    beats, expected, _ = row(pick, words)
    again.put(beats)
    await again.drain()
    assert result.values == expected


@pytest.mark.parametrize("name", CONFIGS)
def test_unpacker(name: str) -> None:
    given = CONFIGS[name]
    simulate(Unpacker(**given), __name__, f"unpacker_{name.replace('-', '_')}", given=given)
