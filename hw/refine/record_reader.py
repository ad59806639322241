"""Record reader: the member records from any place on, asked for ahead."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.bus.client import ReadClient
from hw.config import RECORD_BITS, EngineConfig
from hw.words import member_record

BLOCK_BEATS = 64
"""Beats of a request."""


class RecordReader(wiring.Component):
    """Streams a list of records from the one that was sought last, to the list's end.

    At most 2 requests of ``block`` beats are ahead, and so at most that many beats are read in vain
    when another record is sought.

    Ports:
        ``address`` In of the list and its length, ``records`` In, both constant from the cycle
        before a ``seek`` to the list's end; ``seek`` In pulse: go on with record ``first`` In, and
        withdraw what is offered, of which nothing is taken in that cycle.
        ``read`` Out `ReadClient`; nothing is asked for beyond the list, and at its end nothing is
        under way.
        ``record`` Out stream of `member_record`; ``index`` Out, which record that is; ``ended``
        Out, 1 when it would be the one behind the list.

    A record a cycle; it is offered in the cycle in which memory offers its beat. The first request
    is offered 2 cycles after ``seek``, or when no more than ``block`` beats are under way.
    """

    def __init__(self, config: EngineConfig, block: int = BLOCK_BEATS):
        self._config = config
        self._block = block
        super().__init__(
            {
                "address": In(config.address_bits),
                "records": In(config.count_bits),
                "seek": In(1),
                "first": In(config.count_bits),
                "read": Out(ReadClient(config)),
                "record": Out(stream.Signature(member_record())),
                "index": Out(config.count_bits),
                "ended": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config, block = self._config, self._block
        per_beat = config.records_per_beat
        place_bits = exact_log2(per_beat)
        request, beat, record = self.read.request, self.read.beat, self.record
        beats = Signal(range(config.beats_of(config.max_tokens, RECORD_BITS) + 1))
        unasked = Signal.like(beats)
        address = Signal.like(self.address)
        under_way = Signal(range(2 * block + 1))
        stale = Signal.like(under_way)
        arrives = beat.valid & beat.ready
        first_beat = self.first[place_bits:]
        following = Signal(config.count_bits + 1)
        ends_beat = (following == self.records) | ~following[:place_bits].any()
        asked = Mux(unasked > block, block, unasked)
        asks = ~request.valid & (unasked != 0) & (under_way <= block) & ~self.seek
        m.d.comb += [
            following.eq(self.index + 1),
            self.ended.eq(self.index == self.records),
            record.valid.eq(beat.valid & (stale == 0)),
            record.payload.eq(beat.payload.word_select(self.index[:place_bits], RECORD_BITS)),
            beat.ready.eq((stale != 0) | (record.ready & ends_beat)),
        ]
        m.d.sync += [
            beats.eq((self.records + per_beat - 1) >> place_bits),
            under_way.eq(under_way + Mux(asks, asked, 0) - arrives),
        ]
        with m.If(request.valid & request.ready):
            m.d.sync += request.valid.eq(0)
        with m.If(asks):
            m.d.sync += [
                request.valid.eq(1),
                request.payload.address.eq(address),
                request.payload.beats.eq(asked),
                address.eq(address + block * config.bus_bytes),
                unasked.eq(unasked - asked),
            ]
        with m.If(self.seek):
            m.d.sync += [
                self.index.eq(self.first),
                stale.eq(under_way - arrives),
                unasked.eq(beats - first_beat),
                address.eq(self.address + (first_beat << exact_log2(config.bus_bytes))),
            ]
        with m.Else():
            m.d.sync += stale.eq(stale - (arrives & (stale != 0)))
            with m.If(record.valid & record.ready):
                m.d.sync += self.index.eq(following)
        return m
