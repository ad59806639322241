"""Channel groups: leaders' spans and each position's channel, from sorted records."""

from dataclasses import replace

import cocotb
import numpy as np
import pytest
from amaranth.lib import data

from hw.config import PRESETS, EngineConfig
from hw.quantize.channel_groups import CHANNEL_RECORD, ChannelGroups, channel_place
from hw.quantize.fixed_point import SPAN_BITS
from tb.quantize.tokens import channel_record
from tb.runner import parameters, simulate
from tb.streams import Bench, Sink, Source, set_value

TINY = replace(PRESETS["tiny"], scale_group=4)
CONFIGS = {"one-record": TINY, "four-records": replace(TINY, bus_bytes=32, max_channels=128)}


async def check(dut: object, stall: float) -> None:
    """Two jobs of unlike length; the leader's taker stalls."""
    config = EngineConfig(**parameters())
    rng = np.random.default_rng(9)
    bench = Bench(dut)
    per_beat = config.records_per_beat
    beat = data.ArrayLayout(CHANNEL_RECORD, per_beat)
    source = Source(bench, "beat", beat, stall=stall, seed=1)
    leader = Sink(bench, "leader", stall=stall, seed=2)
    place = Sink(bench, "place", channel_place(config))
    await bench.reset()
    for channels in (config.max_channels, config.levels_per_beat):
        leader.taken.clear()
        place.taken.clear()
        set_value(dut.channels, channels)  # type: ignore[attr-defined]
        spans = rng.integers(0, 1 << SPAN_BITS, channels)
        spans[: channels // 2] = spans[0]
        pairs = sorted((-int(span), channel) for channel, span in enumerate(spans))
        records = [channel_record(channel, -minus) for minus, channel in pairs]
        source.put(records[i : i + per_beat] for i in range(0, channels, per_beat))
        await place.wait(channels, limit=5000)
        leaders = [-minus for minus, _ in pairs[:: config.scale_group]]
        assert leader.words == leaders
        assert place.values == [
            {
                "position": position,
                "channel": channel,
                "last": int(position == channels - 1),
            }
            for position, (_, channel) in enumerate(pairs)
        ]
        if stall == 0:
            starts = [cycle for cycle, _ in leader.taken]
            assert set(np.diff(starts)) == {config.scale_group + 1}
        placed = np.array([cycle for cycle, _ in place.taken]).reshape(-1, config.scale_group)
        assert (placed[:, 0] > [cycle for cycle, _ in leader.taken]).all()


@cocotb.test()
async def without_stalls(dut: object) -> None:
    """A group every G + 1 cycles."""
    await check(dut, 0.0)


@cocotb.test()
async def with_stalls(dut: object) -> None:
    """Late beats, and leaders that wait."""
    await check(dut, 0.5)


@pytest.mark.parametrize("name", CONFIGS)
def test_channel_groups(name: str) -> None:
    config = CONFIGS[name]
    simulate(
        ChannelGroups(config), __name__, f"channel_groups_{name.replace('-', '_')}",
        given=config.as_dict(),
    )  # fmt: skip
