"""Channel statistics against torch's minima and maxima, on single-port banks, a word a cycle."""

from dataclasses import replace
from typing import Any

import cocotb
import numpy as np
import pytest
import torch
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from cocotb.triggers import ReadWrite

from hw.blocks.handshake import Handshake
from hw.blocks.lookup_mux import LookupMux
from hw.config import PRESETS, TOKEN_BEATS, EngineConfig
from hw.quantize.channel_stats import ChannelStats
from hw.quantize.lanes import bounds_lookup, value_word
from hw.quantize.tables import Tables
from hw.scratchpad import with_scratchpad
from tb.quantize.tokens import bounds_words, random_bits, row_words
from tb.runner import parameters, simulate
from tb.streams import Bench, Source, set_value

TINY = PRESETS["tiny"]
CONFIGS = {
    "fp16": TINY,
    "bf16": replace(TINY, token_format="bf16", quantize_lanes=4),
    # The shortest rows have no more words than a word has cycles until it is back.
    "all-lanes": replace(TINY, quantize_lanes=8),
}


class StatsWithScratchpad(wiring.Component):
    """The unit with its tables and a scratchpad; ``asked`` looks up while ``reading``."""

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "run": In(Handshake()),
                "rows": In(config.count_bits),
                "word": In(stream.Signature(value_word(config))),
                "nonfinite": Out(1),
                "reading": In(1),
                "asked": In(bounds_lookup(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.stats = stats = ChannelStats(self._config)
        m.submodules.tables = tables = Tables(self._config)
        m.submodules.mux = mux = LookupMux(bounds_lookup(self._config), 2)
        with_scratchpad(m, self._config, tables.scratch)
        wiring.connect(m, wiring.flipped(self.run), stats.run)
        wiring.connect(m, wiring.flipped(self.word), stats.word)
        wiring.connect(m, stats.revisit, tables.revisit)
        wiring.connect(m, stats.bounds, mux.asker[0])
        wiring.connect(m, wiring.flipped(self.asked), mux.asker[1])
        wiring.connect(m, mux.table, tables.bounds)
        m.d.comb += [
            mux.select.eq(self.reading),
            stats.rows.eq(self.rows),
            self.nonfinite.eq(stats.nonfinite),
        ]
        return m


def random_tokens(config: EngineConfig, rows: int, channels: int, seed: int) -> torch.Tensor:
    """Finite values of any bits, and a channel of zeros of both signs."""
    tokens = random_bits(config, rows, channels, seed)
    tokens[:, 0] *= 0
    return tokens


class Rig:
    """The unit and the source of its words."""

    def __init__(self, dut: Any, stall: float = 0.0):
        self.config = EngineConfig(**parameters())
        self.bench = Bench(dut)
        self.dut = dut
        dut.run__start.value = 0
        dut.reading.value = 0
        self.source = Source(self.bench, "word", value_word(self.config), stall=stall, seed=2)

    async def start(self, tokens: torch.Tensor) -> None:
        """Begin a job, and queue its rows."""
        set_value(self.dut.rows, len(tokens))
        self.source.sent.clear()
        await self.bench.start()
        self.source.put(word for row in tokens for word in row_words(self.config, row))

    async def run(self, tokens: torch.Tensor) -> bool:
        """A job, done on its cycle; whether all values were finite."""
        await self.start(tokens)
        await self.bench.done(10_000)
        await ReadWrite()  # the edge is counted
        assert not self.source.queue
        assert self.bench.cycle == self.source.sent[-1][0] + ChannelStats.latency
        return not self.dut.nonfinite.value

    async def check(self, tokens: torch.Tensor) -> None:
        """A finite job: read the bounds back at once."""
        assert await self.run(tokens)
        self.dut.reading.value = 1
        found = []
        for index in range(tokens.shape[1] // self.config.quantize_lanes):
            set_value(self.dut.asked__index, index)
            await self.bench.cycles(2)
            found.append(int(self.dut.asked__entry.value.to_unsigned()))
        self.dut.reading.value = 0
        assert found == bounds_words(self.config, tokens)


@cocotb.test()
async def jobs_one_after_another(dut: Any) -> None:
    """Rows of the least and the greatest length, without and with gaps."""
    for stall in (0.0, 0.2, 0.6):
        rig = Rig(dut, stall)
        config = rig.config
        await rig.bench.reset()
        least, most = config.levels_per_beat, config.max_channels
        assert least // config.quantize_lanes >= TOKEN_BEATS
        for rows, channels in ((40, least), (1, most), (17, most), (2, least), (25, least)):
            await rig.check(random_tokens(config, rows, channels, rows))
            if stall == 0:
                cycles = [cycle for cycle, _ in rig.source.sent]
                assert set(np.diff(cycles)) == {1}
        rig.source.stop()


@cocotb.test()
async def every_row_counts(dut: Any) -> None:
    """A bound that falls or rises in each row: a word that came back too late would lose one."""
    rig = Rig(dut)
    config = rig.config
    await rig.bench.reset()
    ramp = torch.arange(12).unsqueeze(1).expand(12, config.levels_per_beat).clone()
    ramp[:, ::2] *= -1
    for tokens in (ramp, ramp.flip(0)):
        await rig.check(tokens.to(random_bits(config, 1, 1, 0).dtype))


@cocotb.test()
async def nonfinite_anywhere(dut: Any) -> None:
    """Each lane, first and last word: the flag is up with done, and gone with the next job."""
    rig = Rig(dut)
    config = rig.config
    await rig.bench.reset()
    clean = random_tokens(config, 3, config.levels_per_beat, 3)
    for row, channel, value in ((0, 0, torch.nan), (2, -1, torch.inf), (1, 6, -torch.inf)):
        tokens = clean.clone()
        tokens[row, channel] = value
        assert not await rig.run(tokens)
        await rig.check(clean)


@cocotb.test()
async def reset_in_mid_run(dut: Any) -> None:
    """A reset after any number of words leaves nothing behind."""
    for words in (1, 3, 6, 13):
        rig = Rig(dut)
        config = rig.config
        await rig.bench.reset()
        await rig.start(random_tokens(config, 9, config.max_channels, words))
        await rig.bench.cycles(words)
        rig.source.stop()
        await rig.bench.reset()
        rig.source = Source(rig.bench, "word", value_word(config))
        await rig.check(random_tokens(config, 4, config.levels_per_beat, words))
        rig.source.stop()


@pytest.mark.parametrize("name", CONFIGS)
def test_channel_stats(name: str) -> None:
    config = CONFIGS[name]
    simulate(
        StatsWithScratchpad(config), __name__, f"channel_stats_{name.replace('-', '_')}",
        given=config.as_dict(),
    )  # fmt: skip
