"""Shared scales against the golden order, spans and weights, on a memory that sorts in between."""

import random
from dataclasses import replace
from typing import Any

import cocotb
import numpy as np
import pytest
import torch
from amaranth.lib import data
from cocotb.triggers import ReadWrite
from torch import Tensor

from golden.qe import channel_order, channel_statistics, channel_weights
from hw.config import PRESETS, EngineConfig
from hw.quantize.channel_groups import CHANNEL_RECORD, channel_place
from hw.quantize.channel_scan import ChannelScan
from hw.quantize.channel_weight import ChannelWeight
from hw.quantize.chunk_weights import ChunkWeights
from hw.quantize.shared_scales import SharedScales
from hw.quantize.tables import group_span
from hw.words import chunk_weights
from tb.layouts import encode
from tb.quantize.tokens import (
    bounds_words,
    channel_record,
    exponent_of,
    ordinary,
    random_bits,
)
from tb.runner import parameters, simulate
from tb.streams import Bench, Lookup, Sink, Source, Watch, set_value

TINY = replace(PRESETS["tiny"], scale_group=4)
CONFIGS = {
    "fp16": TINY,
    "bf16": replace(TINY, token_format="bf16", weight_bits=5),
    # Groups so long that placing their channels takes longer than their weights.
    "long-groups": replace(
        TINY, bus_bytes=32, max_channels=128, channel_lanes=32, scale_group=32, weight_bits=1
    ),
}
PULSES = ("store", "sort__start", "fetch")


class Rig:
    """The unit, golden bounds to ask for, and a memory that sorts what is stored in it.

    ``stall`` is that of the beats both ways; with it, landing and sorting take their time too.
    """

    def __init__(self, dut: object, stall: float = 0.0):
        self.config = EngineConfig(**parameters())
        self.bench = Bench(dut)
        self.dut = self.bench.dut
        self.words: list[int] = []
        Lookup(self.bench, "bounds", lambda index: self.words[index] if self.words else 0)
        self.pulses = {name: Watch(self.bench, name) for name in PULSES}
        self._stall = stall
        self._random = random.Random(4)
        self._attach()

    def _attach(self) -> None:
        """Drive the ports of memory, and take the streams."""
        config, stall = self.config, self._stall
        for name in ("run__start", "sort__done", "landed"):
            getattr(self.dut, name).value = 0
        beat = data.ArrayLayout(CHANNEL_RECORD, config.records_per_beat)
        self.stored = Sink(self.bench, "stored", CHANNEL_RECORD, stall=stall, seed=1)
        self.fetched = Source(self.bench, "fetched", beat, stall=stall, seed=2)
        self.spans = Sink(self.bench, "group", group_span(config))
        self.places = Sink(self.bench, "place", channel_place(config))
        self.weights = Sink(self.bench, "weight", chunk_weights(config))

    async def reset(self) -> None:
        """Reset the unit; memory forgets what is under way."""
        for part in (self.stored, self.fetched, self.spans, self.places, self.weights):
            part.stop()
        await self.bench.reset()
        self._attach()

    async def start(self, tokens: Tensor) -> Any:
        """Start with the bounds of tokens [N, whole beats]; the task that plays memory."""
        for part in (self.stored, self.spans, self.places, self.weights):
            part.taken.clear()
        for pulse in self.pulses.values():
            pulse.cycles.clear()
        self.words[:] = bounds_words(self.config, tokens)
        row_beats = tokens.shape[1] // self.config.levels_per_beat
        set_value(self.dut.row_beats, row_beats)
        memory = cocotb.start_soon(self._play_memory(tokens.shape[1]))
        await self.bench.start()
        return memory

    async def _play_memory(self, channels: int) -> None:
        """Take the records of a job, sort them, and give them back."""
        await self._pulse("store")
        self.dut.landed.value = 0
        await self.stored.wait(channels, limit=20 * channels + 200)
        await self._pause()
        self.dut.landed.value = 1
        await self._pulse("sort__start")
        records = self.stored.values
        await self._pause()
        records.sort(key=lambda record: encode(CHANNEL_RECORD, record))
        self.dut.sort__done.value = 1
        await self._pulse("fetch")
        self.dut.sort__done.value = 0
        await self._pause()
        per_beat = self.config.records_per_beat
        self.fetched.put(records[i : i + per_beat] for i in range(0, len(records), per_beat))

    async def _pulse(self, name: str) -> None:
        """Wait for a cycle in which a port is 1."""
        port = getattr(self.dut, name)
        for _ in range(1000):
            await self.bench.cycles()
            if port.value:
                return
        raise AssertionError(f"no {name}")

    async def _pause(self) -> None:
        """Take a while, where memory stalls."""
        await self.bench.cycles(self._random.randrange(1, 40) if self._stall else 0)

    async def run(self, tokens: Tensor) -> None:
        """A whole job: everything that comes out, and memory's part of it."""
        config, channels = self.config, tokens.shape[1]
        memory = await self.start(tokens)
        await self.bench.done(200 * channels + 500)
        await ReadWrite()  # the edge is counted
        done = self.bench.cycle
        assert memory.done()

        expected = channel_statistics(tokens)
        spans = expected.span.tolist()
        assert self.stored.values == [
            channel_record(channel, span) for channel, span in enumerate(spans)
        ]
        order, shared = channel_order(expected.span, config.scale_group)
        assert self.places.values == [
            {"position": position, "channel": channel, "last": int(position == channels - 1)}
            for position, channel in enumerate(order.tolist())
        ]
        assert self.spans.values == [
            {"group": group, "span": span}
            for group, span in enumerate(shared[:: config.scale_group].tolist())
        ]
        weights = channel_weights(shared, config.weight_bits)[:: config.scale_group]
        assert self.weights.values == [
            {"index": index, "weights": [weight]} for index, weight in enumerate(weights.tolist())
        ]
        assert int(self.dut.exponent.value) == exponent_of(config, expected)
        self._check_cycles(channels, done)

    def _check_cycles(self, channels: int, done: int) -> None:
        """Every pulse once and in order, and, where memory never lets wait, on which cycle."""
        config, weigher = self.config, ChannelWeight(self.config)
        assert [len(pulse.cycles) for pulse in self.pulses.values()] == [1] * len(PULSES)
        store, sort, fetch = (pulse.cycles[0] for pulse in self.pulses.values())
        stored, weights, places = (
            [cycle for cycle, _ in sink.taken] for sink in (self.stored, self.weights, self.places)
        )
        assert store < stored[0] <= stored[-1] < sort < fetch < places[0]
        groups = np.array(places).reshape(-1, config.scale_group)
        assert (groups[:, 0] > [cycle for cycle, _ in self.spans.taken]).all()
        assert done == max(weights[-1], places[-1]) + 1
        if self._stall == 0:
            spans = ChannelScan.cycles(config, channels, measure=True)
            assert stored[-1] == store + spans
            group = max(weigher.latency + 1, config.scale_group + 1)
            assert set(np.diff(weights)) == {group}
            first = weights[0] - fetch
            # The first beat is offered 2 cycles after it was asked for.
            assert first <= 2 + weigher.load_latency + weigher.latency + ChunkWeights.latency
            assert set(np.diff(groups, axis=1).flatten()) == {1}


def jobs(config: EngineConfig) -> list[Tensor]:
    """Rows of every length and kind: padded, all alike, and with spans that many share."""
    most, least = config.max_channels, config.levels_per_beat
    padded = ordinary(config, 7, most, 3)
    padded[:, -5:] = 0
    constant = torch.full((2, least), -2.5).to(padded.dtype)
    one_varies = constant.clone()
    one_varies[1, least // 2] = torch.finfo(padded.dtype).max
    ties = ordinary(config, 5, most, 8)
    ties[:, ::3] = ties[:, :1]
    ties[:, 1::3] = -ties[:, :1]
    return [
        ordinary(config, 9, most, 1), random_bits(config, 3, least, 2), padded, constant,
        one_varies, ties, random_bits(config, 2, most, 4),
    ]  # fmt: skip


@cocotb.test()
async def jobs_one_after_another(dut: object) -> None:
    """Without a reset between them, and on their cycles."""
    rig = Rig(dut)
    await rig.reset()
    for tokens in jobs(rig.config):
        await rig.run(tokens)


@cocotb.test()
async def with_stalls(dut: object) -> None:
    """A memory that stalls both ways and takes its time to land and to sort."""
    rig = Rig(dut, stall=0.6)
    await rig.reset()
    for tokens in jobs(rig.config):
        await rig.run(tokens)


@cocotb.test()
async def waits_for_what_was_stored(dut: object) -> None:
    """Sorting does not begin while a stored beat is on its way to memory."""
    rig = Rig(dut)
    await rig.reset()
    tokens = ordinary(rig.config, 4, rig.config.levels_per_beat, 5)
    memory = await rig.start(tokens)
    memory.cancel()
    rig.dut.landed.value = 0
    await rig.bench.cycles(500)
    assert len(rig.stored.taken) == tokens.shape[1]
    assert not rig.pulses["sort__start"].cycles
    rig.dut.landed.value = 1
    await rig.bench.cycles(5)
    assert len(rig.pulses["sort__start"].cycles) == 1
    await rig.bench.cycles(500)
    assert not rig.pulses["fetch"].cycles


@cocotb.test()
async def reset_in_mid_run(dut: object) -> None:
    """A reset while storing, sorting or fetching leaves nothing behind."""
    rig = Rig(dut)
    config = rig.config
    await rig.reset()
    dropped = random_bits(config, 3, config.max_channels, 6)
    tokens = ordinary(config, 5, config.levels_per_beat, 7)
    await rig.run(dropped)
    begun = rig.pulses["store"].cycles[0]
    sort, fetch = (rig.pulses[name].cycles[0] - begun for name in ("sort__start", "fetch"))
    whole = rig.weights.taken[-1][0] - begun
    for cycles in (1, sort // 2, sort - 1, sort + 1, fetch + 2, (fetch + whole) // 2, whole - 1):
        memory = await rig.start(dropped)
        await rig.bench.cycles(cycles)
        memory.cancel()
        await rig.reset()
        await rig.run(tokens)


@pytest.mark.parametrize("name", CONFIGS)
def test_shared_scales(name: str) -> None:
    config = CONFIGS[name]
    simulate(
        SharedScales(config), __name__, f"shared_scales_{name.replace('-', '_')}",
        given=config.as_dict(),
    )  # fmt: skip
