"""Channel statistics against torch's own minima and maxima, a beat a cycle."""

from dataclasses import replace

import cocotb
import pytest
import torch
from amaranth.lib import data
from cocotb.triggers import ReadWrite

from hw.config import PRESETS, VALUE_BITS, EngineConfig
from hw.quantize.channel_stats import ChannelStats, stats_word
from tb.layouts import decode
from tb.quantize.tokens import random_bits, value_words
from tb.runner import parameters, simulate
from tb.streams import Bench, Source, set_value

CONFIGS = {
    "fp16": PRESETS["tiny"],
    "bf16": replace(PRESETS["tiny"], token_format="bf16"),
}


def random_tokens(config: EngineConfig, rows: int, channels: int, seed: int) -> torch.Tensor:
    """Finite values of any bits, many of them zeros of both signs."""
    tokens = random_bits(config, rows, channels, seed)
    tokens[:, 0] *= 0
    return tokens


def source_of(bench: Bench, config: EngineConfig, stall: float = 0.0) -> Source:
    """Drives the values of the rows, a beat of them at a time."""
    beat = data.ArrayLayout(VALUE_BITS, config.values_per_beat)
    return Source(bench, "beat", beat, stall=stall, seed=2)


async def job(bench: Bench, source: Source, config: EngineConfig, tokens: torch.Tensor) -> bool:
    """Send tokens, wait for done on its cycle; whether all values were finite."""
    lanes = config.values_per_beat
    words = value_words(tokens)
    set_value(bench.dut.rows, len(tokens))
    set_value(bench.dut.row_beats, tokens.shape[1] // lanes)
    await bench.start()
    source.put(words[i : i + lanes] for i in range(0, len(words), lanes))
    await bench.done(10_000)
    await ReadWrite()  # the edge is counted
    assert not source.queue
    assert bench.cycle == source.sent[-1][0] + ChannelStats.latency
    return not bench.dut.nonfinite.value


async def check(bench: Bench, source: Source, config: EngineConfig, tokens: torch.Tensor) -> None:
    """A finite job: read the statistics back."""
    assert await job(bench, source, config, tokens)
    lows, highs = [], []
    for index in range(tokens.shape[1] // config.values_per_beat):
        set_value(bench.dut.stats__index, index)
        await bench.cycles(2)
        entry = decode(stats_word(config), int(bench.dut.stats__entry.value.to_unsigned()))
        lows += [bounds["low"] for bounds in entry]
        highs += [bounds["high"] for bounds in entry]
    for found, expected in ((lows, tokens.amin(dim=0)), (highs, tokens.amax(dim=0))):
        values = torch.tensor(found).to(torch.int16).view(tokens.dtype)
        assert torch.equal(values, expected)  # -0 equals +0, but must come out as +0
        assert 0x8000 not in found


@cocotb.test()
async def jobs_one_after_another(dut: object) -> None:
    """Rows of the least and the greatest length, without and with gaps."""
    config = EngineConfig(**parameters())
    for stall in (0.0, 0.4):
        bench = Bench(dut)
        dut.run__start.value = 0  # type: ignore[attr-defined]
        source = source_of(bench, config, stall)
        await bench.reset()
        for rows, channels in ((40, 16), (1, 32), (17, 32), (2, 16)):
            tokens = random_tokens(config, rows, channels, rows)
            await check(bench, source, config, tokens)
        if stall == 0:
            cycles = [cycle for cycle, _ in source.sent[: 40 * 16 // config.values_per_beat]]
            assert cycles == list(range(cycles[0], cycles[0] + len(cycles)))
        source.stop()


@cocotb.test()
async def nonfinite_anywhere(dut: object) -> None:
    """Each lane, first and last beat: the flag is up with done, and gone with the next job."""
    config = EngineConfig(**parameters())
    bench = Bench(dut)
    dut.run__start.value = 0  # type: ignore[attr-defined]
    source = source_of(bench, config)
    await bench.reset()
    clean = random_tokens(config, 3, 16, 3)
    for row, channel, value in ((0, 0, torch.nan), (2, 15, torch.inf), (1, 6, -torch.inf)):
        tokens = clean.clone()
        tokens[row, channel] = value
        assert not await job(bench, source, config, tokens)
        await check(bench, source, config, clean)


@pytest.mark.parametrize("name", CONFIGS)
def test_channel_stats(name: str) -> None:
    config = CONFIGS[name]
    simulate(ChannelStats(config), __name__, f"channel_stats_{name}", given=config.as_dict())
