"""Scales: what the quantise stage needs of a rule that gives channels their spans and weights."""

from typing import Any

from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from hw.blocks.handshake import Handshake
from hw.config import EngineConfig
from hw.quantize.channel_stats import stats_lookup
from hw.quantize.fixed_point import SPAN_BITS, exponent_bits
from hw.words import chunk_weights


def channel_span(config: EngineConfig) -> data.StructLayout:
    """The span that a channel is quantised with."""
    return data.StructLayout({"channel": config.channel_bits, "span": SPAN_BITS})


def scale_ports(config: EngineConfig) -> dict[str, Any]:
    """Members of `OwnScales` and `SharedScales`.

    ``run`` In `Handshake`: from the statistics to the last weight and span; ``row_beats`` In, of a
    quantised row, constant meanwhile.
    ``stats`` Out `stats_lookup`; ``exponent`` Out, from done on: see `FixedPointDifference`.
    ``span`` Out, always-ready stream of `channel_span`: each channel of the padded row once.
    ``weight`` Out, always-ready stream of `chunk_weights`: each chunk of the padded row once;
    channels of span 0 have weight 0.
    """
    return {
        "run": In(Handshake()),
        "row_beats": In(range(config.max_row_beats + 1)),
        "stats": Out(stats_lookup(config)),
        "exponent": Out(exponent_bits(config)),
        "span": Out(stream.Signature(channel_span(config), always_ready=True)),
        "weight": Out(stream.Signature(chunk_weights(config), always_ready=True)),
    }
