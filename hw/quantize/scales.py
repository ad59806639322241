"""Scales: what the quantise stage needs of a rule that gives channels their spans and weights."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.handshake import Handshake
from hw.config import TOKEN_BEATS, EngineConfig
from hw.quantize.channel_scan import ChannelScan
from hw.quantize.channel_stats import stats_lookup
from hw.quantize.channel_weight import ChannelWeight
from hw.quantize.chunk_weights import ChunkWeights
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

    For a rule that has channels sorted in memory, idle otherwise: ``store`` Out pulse: the rule's
    ``record_beats`` beats follow on ``stored`` Out stream for each beat of a quantised row;
    ``landed`` In: all that was stored is in memory; ``sort`` Out `Handshake`: sort them ascending,
    in place; ``fetch`` Out pulse: then they come back on ``fetched`` In stream.
    """
    beats = stream.Signature(config.bus_bits)
    return {
        "run": In(Handshake()),
        "row_beats": In(range(config.max_row_beats + 1)),
        "stats": Out(stats_lookup(config)),
        "exponent": Out(exponent_bits(config)),
        "span": Out(stream.Signature(channel_span(config), always_ready=True)),
        "weight": Out(stream.Signature(chunk_weights(config), always_ready=True)),
        "store": Out(1),
        "stored": Out(beats),
        "landed": In(1),
        "sort": Out(Handshake()),
        "fetch": Out(1),
        "fetched": In(beats),
    }


@dataclass(frozen=True)
class ScaleUnits:
    """What every rule is made of.

    Attributes:
        scan: walks over the channels for their spans.
        weigher: turns spans into weights.
        weights: joins them to those of chunks, as the rule's ``weight``.
        channel: of the span that ``scan`` offers.
    """

    scan: ChannelScan
    weigher: ChannelWeight
    weights: ChunkWeights
    channel: Signal


def add_scale_units(m: Module, config: EngineConfig, rule: wiring.Component) -> ScaleUnits:
    """Put them into a rule, between its ports `scale_ports`."""
    m.submodules.scan = scan = ChannelScan(config)
    m.submodules.weigher = weigher = ChannelWeight(config)
    m.submodules.weights = weights = ChunkWeights(config)
    wiring.connect(m, scan.stats, wiring.flipped(rule.stats))
    wiring.connect(m, weigher.weight, weights.weight)
    wiring.connect(m, weights.chunk, wiring.flipped(rule.weight))
    channel = Signal(config.channel_bits)
    with m.If(scan.span.valid & scan.span.ready):
        m.d.sync += channel.eq(Mux(scan.span.payload.last, 0, channel + 1))
    m.d.comb += [
        scan.row_beats.eq(rule.row_beats << exact_log2(TOKEN_BEATS)),
        weigher.largest.eq(scan.largest),
        weights.start.eq(rule.run.start),
        weights.chunks.eq(rule.row_beats << exact_log2(config.chunks_per_beat)),
        rule.exponent.eq(scan.exponent),
    ]
    return ScaleUnits(scan, weigher, weights, channel)
