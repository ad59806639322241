"""Scales: what the quantise stage needs of a rule that gives channels their spans and weights."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.handshake import Handshake
from hw.config import EngineConfig
from hw.quantize.channel_scan import ChannelScan
from hw.quantize.channel_weight import ChannelWeight
from hw.quantize.chunk_weights import ChunkWeights
from hw.quantize.fixed_point import exponent_bits
from hw.quantize.lanes import bounds_lookup, words_of
from hw.words import chunk_weights


def scale_ports(config: EngineConfig) -> dict[str, Any]:
    """Members of `OwnScales` and `SharedScales`.

    ``run`` In `Handshake`: from the statistics to the last weight; ``row_beats`` In, of a quantised
    row, constant meanwhile.
    ``bounds`` Out `bounds_lookup`; ``exponent`` Out, from done on: see `FixedPointDifference`.
    ``weight`` Out, always-ready stream of `chunk_weights`: each chunk of the padded row once;
    channels of span 0 have weight 0.
    """
    return {
        "run": In(Handshake()),
        "row_beats": In(range(config.max_row_beats + 1)),
        "bounds": Out(bounds_lookup(config)),
        "exponent": Out(exponent_bits(config)),
        "weight": Out(stream.Signature(chunk_weights(config), always_ready=True)),
    }


@dataclass(frozen=True)
class ScaleUnits:
    """What every rule is made of.

    Attributes:
        scan: walks over the channels for their spans.
        weigher: turns spans into weights.
        weights: joins them to those of chunks, as the rule's ``weight``.
    """

    scan: ChannelScan
    weigher: ChannelWeight
    weights: ChunkWeights


def add_scale_units(m: Module, config: EngineConfig, rule: wiring.Component) -> ScaleUnits:
    """Put them into a rule, between its ports `scale_ports`."""
    m.submodules.scan = scan = ChannelScan(config)
    m.submodules.weigher = weigher = ChannelWeight(config)
    m.submodules.weights = weights = ChunkWeights(config)
    wiring.connect(m, scan.bounds, wiring.flipped(rule.bounds))
    wiring.connect(m, weigher.weight, weights.weight)
    wiring.connect(m, weights.chunk, wiring.flipped(rule.weight))
    m.d.comb += [
        scan.words.eq(words_of(config, rule.row_beats)),
        weights.start.eq(rule.run.start),
        weights.chunks.eq(rule.row_beats << exact_log2(config.chunks_per_beat)),
        rule.exponent.eq(scan.exponent),
    ]
    return ScaleUnits(scan, weigher, weights)
