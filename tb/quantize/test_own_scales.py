"""Own scales against the golden weights: every channel's, and when they come."""

from dataclasses import replace

import cocotb
import numpy as np
import pytest
import torch
from cocotb.triggers import ReadWrite
from torch import Tensor

from golden.qe import channel_statistics, channel_weights
from hw.config import PRESETS, EngineConfig
from hw.quantize.channel_scan import ChannelScan
from hw.quantize.channel_weight import ChannelWeight
from hw.quantize.own_scales import OwnScales
from hw.words import chunk_weights
from tb.quantize.tokens import bounds_words, exponent_of, ordinary, random_bits
from tb.runner import parameters, simulate
from tb.streams import Bench, Lookup, Sink, set_value

TINY = PRESETS["tiny"]
CONFIGS = {
    "fp16": TINY,
    "bf16": replace(TINY, token_format="bf16", weight_bits=5),
    "wide": replace(TINY, bus_bytes=32, max_channels=128, channel_lanes=8, weight_bits=1),
}


class Rig:
    """The unit, with golden bounds to ask for and a sink of its weights."""

    def __init__(self, dut: object):
        self.config = EngineConfig(**parameters())
        self.bench = Bench(dut)
        self.bench.dut.run__start.value = 0
        self.words: list[int] = []
        Lookup(self.bench, "bounds", lambda index: self.words[index] if self.words else 0)
        self.weights = Sink(self.bench, "weight", chunk_weights(self.config))

    async def start(self, tokens: Tensor) -> int:
        """Start with the bounds of tokens [N, whole beats]; the cycle of the start."""
        self.weights.taken.clear()
        self.words[:] = bounds_words(self.config, tokens)
        set_value(self.bench.dut.row_beats, tokens.shape[1] // self.config.levels_per_beat)
        await self.bench.start()
        await ReadWrite()  # the edge is counted
        return self.bench.cycle

    async def run(self, tokens: Tensor) -> None:
        """A whole job: its weights and exponent, and its cycles."""
        config, channels = self.config, tokens.shape[1]
        started = await self.start(tokens)
        await self.bench.done(70 * channels + 200)
        await ReadWrite()  # the edge is counted
        done = self.bench.cycle

        expected = channel_statistics(tokens)
        weights = channel_weights(expected.span, config.weight_bits).tolist()
        lanes = config.channel_lanes
        assert self.weights.values == [
            {"index": index, "weights": weights[lanes * index : lanes * (index + 1)]}
            for index in range(channels // lanes)
        ]
        assert int(self.bench.dut.exponent.value) == exponent_of(config, expected)

        weigher = ChannelWeight(config)
        chunks = [cycle for cycle, _ in self.weights.taken]
        assert set(np.diff(chunks)) == {lanes * (weigher.latency + 1)}
        serial = channels * (weigher.latency + 1)
        found = started + ChannelScan.cycles(config, channels, measure=True)
        assert serial <= chunks[-1] - found <= serial + weigher.load_latency + 1
        assert done == chunks[-1] + 1


@cocotb.test()
async def jobs_one_after_another(dut: object) -> None:
    """Rows of every length and kind, without a reset between them."""
    rig = Rig(dut)
    config = rig.config
    await rig.bench.reset()
    most, least = config.max_channels, config.levels_per_beat
    padded = ordinary(config, 7, most, 3)
    padded[:, -5:] = 0
    constant = torch.full((2, least), -2.5).to(padded.dtype)
    one_varies = constant.clone()
    one_varies[1, least // 2] = torch.finfo(padded.dtype).max
    jobs = [
        ordinary(config, 9, most, 1), random_bits(config, 3, least, 2), padded, constant,
        one_varies, random_bits(config, 2, most, 4), constant,
    ]  # fmt: skip
    for tokens in jobs:
        await rig.run(tokens)


@cocotb.test()
async def exponent_stays(dut: object) -> None:
    """Before the next start nothing moves, as rows are quantised with what was found."""
    rig = Rig(dut)
    await rig.bench.reset()
    tokens = ordinary(rig.config, 9, rig.config.max_channels, 5)
    await rig.run(tokens)
    await rig.bench.cycles(200)
    assert int(rig.bench.dut.exponent.value) == exponent_of(rig.config, channel_statistics(tokens))
    assert not rig.bench.dut.run__done.value
    assert len(rig.weights.taken) == tokens.shape[1] // rig.config.channel_lanes


@cocotb.test()
async def reset_in_mid_run(dut: object) -> None:
    """A reset in either walk leaves nothing behind."""
    rig = Rig(dut)
    config = rig.config
    await rig.bench.reset()
    dropped = random_bits(config, 3, config.max_channels, 6)
    tokens = ordinary(config, 5, config.levels_per_beat, 7)
    spans = ChannelScan.cycles(config, config.max_channels, measure=True)
    for cycles in (1, 5, spans // 2, spans, spans + 3, spans + 60, 3 * spans):
        await rig.start(dropped)
        await rig.bench.cycles(cycles)
        await rig.bench.reset()
        await rig.run(tokens)


@pytest.mark.parametrize("name", CONFIGS)
def test_own_scales(name: str) -> None:
    config = CONFIGS[name]
    simulate(OwnScales(config), __name__, f"own_scales_{name}", given=config.as_dict())
