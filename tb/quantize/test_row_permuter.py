"""The row permuter: every row in position order, at its rate, under any stall."""

from dataclasses import replace

import cocotb
import numpy as np
import pytest

from hw.config import LARGEST_LEVEL, PRESETS, EngineConfig
from hw.quantize.quantizer import level_word
from hw.quantize.row_permuter import RowPermuter, place
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, Source, set_value

TINY = replace(PRESETS["tiny"], scale_group=4)
CONFIGS = {"two-lanes": TINY, "one-lane": replace(TINY, quantize_lanes=1)}
ROWS = 12


async def check(dut: object, words: int, stall_in: float, stall_out: float) -> None:
    """Rows of ``words`` words through a new table."""
    config = EngineConfig(**parameters())
    lanes = config.quantize_lanes
    channels = words * lanes
    rng = np.random.default_rng(words)
    bench = Bench(dut)
    table = Source(bench, "place", place(config))
    source = Source(bench, "i", level_word(config), stall=stall_in, seed=1)
    sink = Sink(bench, "o", level_word(config), stall=stall_out, seed=2)
    set_value(dut.words, words)  # type: ignore[attr-defined]
    await bench.reset()
    order = rng.permutation(channels)
    table.put({"position": p, "channel": int(c)} for p, c in enumerate(order))
    await table.drain()
    rows = rng.integers(0, LARGEST_LEVEL + 1, (ROWS, channels))
    for row in rows:
        source.put(row[i : i + lanes].tolist() for i in range(0, channels, lanes))
    await sink.wait(ROWS * words, limit=20_000)
    levels = [level for word in sink.values for level in word]
    assert levels == rows[:, order].flatten().tolist()

    if stall_in == stall_out == 0:
        sent, taken = ([cycle for cycle, _ in pairs] for pairs in (source.sent, sink.taken))
        assert taken[0] == sent[words - 1] + RowPermuter.latency
        starts = np.array(taken[::words])
        assert np.diff(starts).max() == RowPermuter.row_cycles(words)
    for end in (table, source, sink):
        end.stop()


@cocotb.test()
async def rows_of_any_length(dut: object) -> None:
    """Without stalls: values, latency and rate."""
    config = EngineConfig(**parameters())
    for words in (16 // config.quantize_lanes, 32 // config.quantize_lanes):
        await check(dut, words, 0.0, 0.0)


@cocotb.test()
async def with_stalls(dut: object) -> None:
    """A slow source, a slow sink, and both."""
    config = EngineConfig(**parameters())
    for stalls in ((0.6, 0.0), (0.0, 0.6), (0.4, 0.4)):
        await check(dut, 16 // config.quantize_lanes, *stalls)


@pytest.mark.parametrize("name", CONFIGS)
def test_row_permuter(name: str) -> None:
    config = CONFIGS[name]
    simulate(
        RowPermuter(config), __name__, f"row_permuter_{name.replace('-', '_')}",
        given=config.as_dict(),
    )  # fmt: skip
