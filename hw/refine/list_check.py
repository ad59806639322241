"""List check: whether every slot has a token of its own."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.handshake import Handshake
from hw.bus.client import ReadClient
from hw.config import ENTRY_BITS, EngineConfig
from hw.job import Job, divide_up
from hw.words import entry


class ListCheck(wiring.Component):
    """Counts the entries that are a dst's: fewer than M where the list named a token twice.

    Ports: ``run`` In `Handshake`: after start ``job`` In stays as it is, and entries are in memory,
    blank beyond token N - 1; ``distinct`` Out, from done to the next start: there are M of them;
    ``read`` Out `ReadClient`, whose beats are taken as they come.

    The entries are asked for in the cycle after start, in one run; done comes `latency` cycles
    after the last beat.
    """

    latency = 2

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "run": In(Handshake()),
                "job": In(Job(config)),
                "distinct": Out(1),
                "read": Out(ReadClient(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        request, beat = self.read.request, self.read.beat
        per_beat = config.bus_bits // ENTRY_BITS
        left = Signal(config.count_bits)  # Beats to come.
        found = Signal(config.count_bits)
        ended = Signal()
        entries = [entry()(beat.payload.word_select(at, ENTRY_BITS)) for at in range(per_beat)]
        m.d.comb += [
            request.payload.address.eq(self.job.entries_address),
            request.payload.beats.eq(divide_up(self.job.tokens, per_beat)),
            beat.ready.eq(1),
        ]
        with m.If(self.run.start):
            m.d.sync += [request.valid.eq(1), left.eq(request.payload.beats), found.eq(0)]
        with m.Elif(request.ready):
            m.d.sync += request.valid.eq(0)
        m.d.sync += ended.eq(0)
        with m.If(beat.valid):
            m.d.sync += [
                left.eq(left - 1),
                found.eq(found + sum(each.is_dst for each in entries)),
                ended.eq(left == 1),
            ]
        m.d.sync += [self.run.done.eq(ended), self.distinct.eq(found == self.job.num_dst)]
        return m
