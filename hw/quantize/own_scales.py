"""Own scales: each channel has a span and a weight of its own, as in the paper."""

from amaranth.hdl import Module
from amaranth.lib import wiring

from hw.config import EngineConfig
from hw.quantize.scales import add_scale_units, scale_ports


class OwnScales(wiring.Component):
    """Walks over the channels twice: for their spans, and, the largest known, for their weights.

    Source: docs/definition.md, 'Quantise'. Ports: `scale_ports`.

    Takes `ChannelScan.cycles` for the spans, and a serial computation a weight.
    """

    record_beats = 0

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(scale_ports(config))

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        run = self.run
        units = add_scale_units(m, self._config, self)
        scan, weigher, span = units.scan, units.weigher, units.scan.span
        m.d.comb += [
            weigher.span.payload.eq(span.payload.span),
            self.span.payload.channel.eq(units.channel),
            self.span.payload.span.eq(span.payload.span),
            # Nothing is sorted in memory.
            *(port.eq(0) for port in (self.store, self.sort.start, self.fetch)),
            self.stored.valid.eq(0),
            self.stored.payload.eq(0),
            self.fetched.ready.eq(0),
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
                with m.If(units.weights.complete):
                    m.d.comb += run.done.eq(1)
                    m.next = "IDLE"
        return m
