"""Row fetch: the memory requests of quantised rows, token by token."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.bus.client import Request
from hw.config import EngineConfig


class RowFetch(wiring.Component):
    """Requests the row of each token: ``row_beats`` beats at ``address`` + token * row_beats.

    Ports: ``address`` In, of row 0, and ``row_beats`` In, constant while tokens come; ``token`` In
    stream; ``request`` Out stream of `Request`.

    A token taken on cycle 0 is requested from cycle `latency`; one a cycle. The product and the sum
    have a cycle each.
    """

    latency = 2

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "address": In(config.address_bits),
                "row_beats": In(range(config.max_row_beats + 1)),
                "token": In(stream.Signature(config.token_bits)),
                "request": Out(stream.Signature(Request(config))),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        beat_shift = exact_log2(self._config.bus_bytes)
        product = Signal(len(self.token.payload) + len(self.row_beats), reset_less=True)
        multiplied = Signal()
        request = self.request
        last_free = ~request.valid | request.ready
        m.d.comb += [
            self.token.ready.eq(~multiplied | last_free),
            request.payload.beats.eq(self.row_beats),
        ]
        with m.If(last_free):
            m.d.sync += [
                request.valid.eq(multiplied),
                request.payload.address.eq(self.address + (product << beat_shift)),
            ]
        with m.If(self.token.ready):
            m.d.sync += [
                multiplied.eq(self.token.valid),
                product.eq(self.token.payload * self.row_beats),
            ]
        return m
