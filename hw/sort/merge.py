"""Merger: one pass of a merge sort through memory, two sorted runs into one at a record a cycle."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.handshake import Handshake
from hw.blocks.pipeline import register
from hw.bus.client import ReadClient, WriteClient
from hw.config import RECORD_BITS, EngineConfig
from hw.sort.record_feed import RecordFeed
from hw.sort.run_walk import RunWalk, beat_bits


class Merger(wiring.Component):
    """Merges each pair of neighbouring runs of a list in memory.

    Ports:
        ``run`` In `Handshake`: done comes when all is written and acknowledged. From start to done:
        ``beats`` (of the list), ``stride`` (beats from run to run, a power of two), ``keep`` (beats
        at which a run is cut), ``read_address`` and ``write_address`` In (in bytes, of the list as
        it is and as it will be).
        ``read_a``, ``read_b`` Out `ReadClient` of the even and the odd runs; ``write`` Out
        `WriteClient`.

    A record a cycle, and `pair_overhead` cycles a pair of runs. Where a merged run is cut, the
    rest of both runs is dropped first, a beat of each a cycle. Runs are requested as fast as
    memory accepts them, several pairs ahead, so that short runs wait for memory once a pass.
    """

    pair_overhead = 4

    class _State(enum.Enum):
        IDLE = 0
        EVEN = 1
        ODD = 2
        CUT = 3
        MERGE = 4
        LAND = 5

    def __init__(self, config: EngineConfig):
        self._config = config
        bits = beat_bits(config)
        super().__init__(
            {
                "run": In(Handshake()),
                "beats": In(bits),
                "stride": In(bits),
                "keep": In(bits),
                "read_address": In(config.address_bits),
                "write_address": In(config.address_bits),
                "read_a": Out(ReadClient(config)),
                "read_b": Out(ReadClient(config)),
                "write": Out(WriteClient(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        limit = register(m, Mux(self.stride < self.keep, self.stride, self.keep), "limit")
        m.submodules.ahead = ahead = RunWalk(self._config)
        m.submodules.runs = runs = RunWalk(self._config)
        for walk, address in ((ahead, self.read_address), (runs, self.write_address)):
            m.d.comb += [
                walk.start.eq(self.run.start),
                walk.address.eq(address),
                walk.beats.eq(self.beats),
                walk.stride.eq(self.stride),
                walk.limit.eq(limit),
            ]
        self._request_runs(m, ahead)
        m.submodules.feed_a = feed_a = RecordFeed(self._config)
        m.submodules.feed_b = feed_b = RecordFeed(self._config)
        wiring.connect(m, wiring.flipped(self.read_a.beat), feed_a.beat)
        wiring.connect(m, wiring.flipped(self.read_b.beat), feed_b.beat)
        run = runs.run.payload
        m.d.comb += [feed_a.beats.eq(run.beats), feed_b.beats.eq(run.beats)]

        # A beat fills from the top, so that its first record ends up lowest.
        request, beat = self.write.request, self.write.beat
        packed = Signal(len(beat.payload.data), reset_less=True)
        place = Signal(range(self._config.records_per_beat))
        full = Signal()
        free = Signal()
        m.d.comb += [
            beat.valid.eq(full & ~request.valid),
            beat.payload.data.eq(packed),
            beat.payload.strobe.eq(~0),
            free.eq(~full | (beat.valid & beat.ready)),
        ]

        state = Signal(self._State)
        merging = state == self._State.MERGE
        out_left = Signal.like(self.beats)
        last = Signal()
        a, b = feed_a.record, feed_b.record
        a_first = feed_b.exhausted | (a.payload <= b.payload)
        known = (a.valid | feed_a.exhausted) & (b.valid | feed_b.exhausted)
        take = Signal()
        m.d.comb += [
            take.eq(merging & known & free),
            a.ready.eq(take & ~feed_a.exhausted & a_first),
            b.ready.eq(take & ~a.ready),
        ]
        with m.If(beat.valid & beat.ready):
            m.d.sync += full.eq(0)
        with m.If(request.valid & request.ready):
            m.d.sync += request.valid.eq(0)

        m.d.sync += self.run.done.eq(0)
        with m.Switch(state):
            with m.Case(self._State.IDLE), m.If(self.run.start):
                m.d.sync += [last.eq(0), state.eq(self._State.EVEN)]
            with m.Case(self._State.EVEN):
                m.d.comb += [feed_a.drop.eq(1), feed_b.drop.eq(1)]
                with m.If(feed_a.exhausted & feed_b.exhausted & free):
                    with m.If(last):
                        m.d.sync += state.eq(self._State.LAND)
                    with m.Elif(runs.run.valid):
                        m.d.comb += [runs.run.ready.eq(1), feed_a.load.eq(1)]
                        m.d.sync += [
                            request.payload.address.eq(run.address),
                            out_left.eq(run.beats),
                            state.eq(self._State.ODD),
                        ]
            with m.Case(self._State.ODD), m.If(runs.run.valid):
                m.d.comb += [runs.run.ready.eq(1), feed_b.load.eq(1)]
                m.d.sync += [
                    out_left.eq(out_left + run.beats),
                    last.eq(run.last),
                    state.eq(self._State.CUT),
                ]
            with m.Case(self._State.CUT):
                out = Mux(out_left < self.keep, out_left, self.keep)
                m.d.sync += [
                    request.payload.beats.eq(out),
                    out_left.eq(out),
                    request.valid.eq(1),
                    state.eq(self._State.MERGE),
                ]
            with m.Case(self._State.MERGE), m.If(take):
                m.d.sync += [
                    packed.eq(Cat(packed, Mux(a.ready, a.payload, b.payload))[RECORD_BITS:]),
                    place.eq(place + 1),
                ]
                with m.If(place == self._config.records_per_beat - 1):
                    m.d.sync += [full.eq(1), out_left.eq(out_left - 1)]
                    with m.If(out_left == 1):
                        m.d.sync += state.eq(self._State.EVEN)
            with m.Case(self._State.LAND), m.If(self.write.idle):
                m.d.sync += [self.run.done.eq(1), state.eq(self._State.IDLE)]
        return m

    def _request_runs(self, m: Module, ahead: RunWalk) -> None:
        """Ask for run after run, ahead of the merging."""
        run = ahead.run.payload
        ready = Signal()
        for read, turn in ((self.read_a, ~run.odd), (self.read_b, run.odd)):
            m.d.comb += [
                read.request.payload.address.eq(run.address),
                read.request.payload.beats.eq(run.beats),
                read.request.valid.eq(ahead.run.valid & turn & (run.beats != 0)),
            ]
            with m.If(turn):
                m.d.comb += ready.eq(read.request.ready)
        m.d.comb += ahead.run.ready.eq(ready | (run.beats == 0))
