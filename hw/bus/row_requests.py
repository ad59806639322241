"""Row requests: asks for a run of rows in few, long requests."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.bus.client import Request
from hw.config import MAX_REQUEST_BEATS, EngineConfig


class RowRequests(wiring.Component):
    """Requests ``rows`` rows of ``row_beats`` beats that lie one after another in memory.

    A request spans a power of two of rows, the most that fit its bits for the longest row and
    then ever fewer, so that its beats are the row's shifted and nothing is multiplied.

    Ports: ``start`` In pulse, while not ``busy``: takes ``address``, ``rows`` (0 to ``max_rows``)
    and ``row_beats`` (1 to ``max_row_beats``); ``busy`` Out: requests are left to make;
    ``request`` Out stream of `Request`.

    The first request is offered at most `latency` cycles after ``start``, each next one at most
    that long after the one before.
    """

    def __init__(self, config: EngineConfig, max_rows: int, max_row_beats: int):
        longest = MAX_REQUEST_BEATS
        if max_row_beats > longest:
            raise ValueError(f"max_row_beats is {max_row_beats}, but must be at most {longest}")
        self._beat_shift = exact_log2(config.bus_bytes)
        self._largest = min((longest // max_row_beats).bit_length(), max_rows.bit_length()) - 1
        super().__init__(
            {
                "start": In(1),
                "address": In(config.address_bits),
                "rows": In(range(max_rows + 1)),
                "row_beats": In(range(max_row_beats + 1)),
                "busy": Out(1),
                "request": Out(stream.Signature(Request(config))),
            }
        )

    @property
    def latency(self) -> int:
        """The most cycles that halving the run of rows takes."""
        return self._largest + 1

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        remaining = Signal.like(self.rows)
        batch = Signal(self._largest + 1)
        request = self.request.payload
        m.d.comb += [
            self.busy.eq(remaining != 0),
            self.request.valid.eq(self.busy & (batch <= remaining)),
        ]
        with m.If(self.start):
            m.d.sync += [
                remaining.eq(self.rows),
                batch.eq(1 << self._largest),
                request.address.eq(self.address),
                request.beats.eq(self.row_beats << self._largest),
            ]
        with m.Elif(self.request.valid & self.request.ready):
            m.d.sync += [
                remaining.eq(remaining - batch),
                request.address.eq(request.address + (request.beats << self._beat_shift)),
            ]
        with m.Elif(self.busy & ~self.request.valid):
            m.d.sync += [batch.eq(batch >> 1), request.beats.eq(request.beats >> 1)]
        return m
