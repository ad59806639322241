"""Channel statistics against torch's own minima and maxima, a beat a cycle."""

from dataclasses import replace

import cocotb
import pytest
import torch
from cocotb.triggers import ReadWrite

from hw.config import PRESETS, EngineConfig
from hw.quantize.channel_stats import ChannelStats
from tb.runner import parameters, simulate
from tb.streams import Bench, Source, pack, set_value, unpack

CONFIGS = {
    "fp16": PRESETS["tiny"],
    "bf16": replace(PRESETS["tiny"], token_format="bf16"),
}
DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}


def random_tokens(config: EngineConfig, rows: int, channels: int, seed: int) -> torch.Tensor:
    """Finite values of any bits, many of them zeros of both signs."""
    generator = torch.Generator().manual_seed(seed)
    bits = torch.randint(-(1 << 15), 1 << 15, (rows, channels), generator=generator)
    bits[:, 0] &= -(1 << 15)
    tokens = bits.to(torch.int16).view(DTYPES[config.token_format])
    return torch.where(torch.isfinite(tokens), tokens, torch.zeros_like(tokens))


async def job(bench: Bench, source: Source, config: EngineConfig, tokens: torch.Tensor) -> bool:
    """Send tokens, wait for done on its cycle; whether all values were finite."""
    lanes = config.values_per_beat
    words = [word & 0xFFFF for word in tokens.contiguous().view(torch.int16).flatten().tolist()]
    set_value(bench.dut.rows, len(tokens))
    set_value(bench.dut.row_beats, tokens.shape[1] // lanes)
    bench.dut.start.value = 1
    await bench.cycles()
    bench.dut.start.value = 0
    source.put(pack(words[i : i + lanes], 16) for i in range(0, len(words), lanes))
    for _ in range(10_000):
        await bench.cycles()
        if bench.dut.done.value:
            break
    await ReadWrite()  # the edge is counted
    assert not source.queue
    assert bench.cycle == source.sent[-1][0] + ChannelStats.latency
    return not bench.dut.nonfinite.value


async def check(bench: Bench, source: Source, config: EngineConfig, tokens: torch.Tensor) -> None:
    """A finite job: read the statistics back."""
    assert await job(bench, source, config, tokens)
    lows, highs = [], []
    for address in range(tokens.shape[1] // config.values_per_beat):
        set_value(bench.dut.address, address)
        await bench.cycles(2)
        word = int(bench.dut.entry.value.to_unsigned())
        fields = unpack(word, 16, 2 * config.values_per_beat)
        lows += fields[::2]
        highs += fields[1::2]
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
        dut.start.value = 0  # type: ignore[attr-defined]
        source = Source(bench, "beat", stall=stall, seed=2)
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
    dut.start.value = 0  # type: ignore[attr-defined]
    source = Source(bench, "beat")
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
