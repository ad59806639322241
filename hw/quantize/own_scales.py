"""Own scales: each channel has a span and a weight of its own, as in the paper."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.utils import exact_log2

from hw.config import TOKEN_BEATS, EngineConfig
from hw.quantize.channel_scan import ChannelScan
from hw.quantize.channel_weight import ChannelWeight
from hw.quantize.chunk_weights import ChunkWeights
from hw.quantize.scales import scale_ports


class OwnScales(wiring.Component):
    """Walks over the channels twice: for their spans, and, the largest known, for their weights.

    Source: docs/definition.md, 'Quantise'. Ports: `scale_ports`.

    Takes `ChannelScan.cycles` for the spans, and a serial computation a weight.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(scale_ports(config))

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config, run = self._config, self.run
        m.submodules.scan = scan = ChannelScan(config)
        m.submodules.weigher = weigher = ChannelWeight(config)
        m.submodules.weights = weights = ChunkWeights(config)
        wiring.connect(m, scan.stats, wiring.flipped(self.stats))
        wiring.connect(m, weigher.weight, weights.weight)
        wiring.connect(m, weights.chunk, wiring.flipped(self.weight))
        span = scan.span
        channel = Signal(config.channel_bits)
        with m.If(span.valid & span.ready):
            m.d.sync += channel.eq(Mux(span.payload.last, 0, channel + 1))
        m.d.comb += [
            scan.row_beats.eq(self.row_beats << exact_log2(TOKEN_BEATS)),
            weigher.largest.eq(scan.largest),
            weigher.span.payload.eq(span.payload.span),
            weights.start.eq(run.start),
            weights.chunks.eq(self.row_beats << exact_log2(config.chunks_per_beat)),
            self.exponent.eq(scan.exponent),
            self.span.payload.channel.eq(channel),
            self.span.payload.span.eq(span.payload.span),
        ]
        with m.FSM():
            with m.State("IDLE"), m.If(run.start):
                m.d.comb += [scan.start.eq(1), scan.measure.eq(1)]
                m.next = "SPANS"
            with m.State("SPANS"):
                m.d.comb += [span.ready.eq(1), self.span.valid.eq(span.valid)]
                with m.If(span.valid & span.payload.last):
                    # A second walk brings the spans once more, now that the largest is known.
                    m.d.comb += [weigher.load.eq(1), scan.start.eq(1)]
                    m.next = "WEIGHTS"
            with m.State("WEIGHTS"):
                m.d.comb += [
                    weigher.span.valid.eq(span.valid),
                    span.ready.eq(weigher.span.ready),
                ]
                with m.If(weights.complete):
                    m.d.comb += run.done.eq(1)
                    m.next = "IDLE"
        return m
