"""Own scales: each channel has a span and a weight of its own, as in the paper."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring

from hw.config import EngineConfig
from hw.quantize.fixed_point import SPAN_BITS
from hw.quantize.scales import add_scale_units, scale_ports


class OwnScales(wiring.Component):
    """Walks over the channels twice: for the largest span, and then for their weights.

    Source: docs/definition.md, 'Quantise'. Ports: `scale_ports`.

    Takes `ChannelScan.cycles` for the largest span, and a serial computation a weight.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(scale_ports(config))

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        run = self.run
        units = add_scale_units(m, self._config, self)
        scan, weigher, span = units.scan, units.weigher, units.scan.span
        largest = Signal(SPAN_BITS)
        m.d.comb += [
            weigher.largest.eq(largest),
            weigher.span.payload.eq(span.payload.span),
        ]
        with m.FSM():
            with m.State("IDLE"), m.If(run.start):
                m.d.comb += [scan.start.eq(1), scan.measure.eq(1)]
                m.d.sync += largest.eq(0)
                m.next = "LARGEST"
            with m.State("LARGEST"):
                m.d.comb += span.ready.eq(1)
                with m.If(span.valid):
                    with m.If(span.payload.span > largest):
                        m.d.sync += largest.eq(span.payload.span)
                    with m.If(span.payload.last):
                        m.next = "LOAD"
            with m.State("LOAD"):
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
