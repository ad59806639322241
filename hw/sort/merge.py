"""Merger: one pass of a merge sort through memory, two sorted runs into one at a record a cycle."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.handshake import Handshake
from hw.blocks.stream_fork import StreamFork
from hw.bus.client import ReadClient, WriteClient
from hw.config import RECORD_BITS, EngineConfig
from hw.sort.run_pairs import RunPairs, beat_bits


class RecordFeed(wiring.Component):
    """Cuts the beats of a run into records, a record a cycle.

    Ports: ``load`` In pulse, only while ``exhausted``, with ``beats`` In of the run; ``drop`` In:
    what is left of the run is dropped, a beat a cycle; ``beat`` In stream; ``record`` Out stream;
    ``exhausted`` Out: no record of the run is left.

    A run's first record is offered 2 cycles after its beat was taken. Two records wait in a queue,
    so that whether a beat is taken never depends on the comparison in this cycle. ``drop`` breaks
    the rule that an offered record stays: only who takes the records may drop them.
    """

    def __init__(self, config: EngineConfig):
        self._records_per_beat = config.records_per_beat
        super().__init__(
            {
                "load": In(1),
                "beats": In(beat_bits(config)),
                "drop": In(1),
                "beat": In(stream.Signature(config.bus_bits)),
                "record": Out(stream.Signature(RECORD_BITS)),
                "exhausted": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        left = Signal.like(self.beats)
        records = Signal(self.beat.payload.shape(), reset_less=True)
        have = Signal(range(self._records_per_beat + 1))
        head, spare = self.record.payload, Signal(RECORD_BITS, reset_less=True)
        level = Signal(range(3))

        push, pop, taken = Signal(), Signal(), Signal()
        m.d.comb += [
            push.eq((have != 0) & (level != 2)),
            pop.eq(self.record.valid & self.record.ready),
            self.record.valid.eq(level != 0),
            self.beat.ready.eq((left != 0) & (self.drop | (have == 0) | ((have == 1) & push))),
            taken.eq(self.beat.valid & self.beat.ready),
            self.exhausted.eq((left == 0) & (have == 0) & (level == 0)),
        ]
        m.d.sync += [left.eq(left - taken), level.eq(level + push - pop)]
        with m.If(taken):
            m.d.sync += [records.eq(self.beat.payload), have.eq(self._records_per_beat)]
        with m.Elif(push):
            m.d.sync += [records.eq(records >> RECORD_BITS), have.eq(have - 1)]
        with m.If(pop & (level == 2)):
            m.d.sync += head.eq(spare)
        with m.Elif(pop | (level == 0)):
            m.d.sync += head.eq(records[:RECORD_BITS])
        with m.If(push):
            m.d.sync += spare.eq(records[:RECORD_BITS])
        with m.If(self.drop):
            m.d.sync += [have.eq(0), level.eq(0)]
        with m.If(self.load):
            m.d.sync += left.eq(self.beats)
        return m


class Merger(wiring.Component):
    """Merges each pair of neighbouring runs of a list in memory.

    Ports:
        ``run`` In `Handshake`: done comes when all is written and acknowledged. From start to done:
        ``beats`` (of the list), ``stride`` (beats from run to run, a power of two), ``keep`` (beats
        at which a run is cut), ``source`` and ``target`` In (byte addresses of the list as it is
        and as it will be).
        ``read_a``, ``read_b`` Out `ReadClient` of the even and the odd runs; ``write`` Out
        `WriteClient`.

    A record a cycle, and `pair_overhead` cycles a pair of runs. Where a merged run is cut, the
    rest of both runs is dropped first, a beat of each a cycle. Runs are requested as fast as
    memory accepts them, several pairs ahead, so that short runs wait for memory once a pass.

    Raises:
        ValueError: the longest list has more beats than a request may ask for.
    """

    pair_overhead = 3

    class _State(enum.Enum):
        IDLE = 0
        NEXT = 1
        MERGE = 2
        LAND = 3

    def __init__(self, config: EngineConfig):
        self._config = config
        bits = beat_bits(config)
        super().__init__(
            {
                "run": In(Handshake()),
                "beats": In(bits),
                "stride": In(bits),
                "keep": In(bits),
                "source": In(config.address_bits),
                "target": In(config.address_bits),
                "read_a": Out(ReadClient(config)),
                "read_b": Out(ReadClient(config)),
                "write": Out(WriteClient(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        self._request_runs(m)
        m.submodules.pairs = pairs = self._walk(m)
        m.submodules.feed_a = feed_a = RecordFeed(self._config)
        m.submodules.feed_b = feed_b = RecordFeed(self._config)
        wiring.connect(m, wiring.flipped(self.read_a.beat), feed_a.beat)
        wiring.connect(m, wiring.flipped(self.read_b.beat), feed_b.beat)
        m.d.comb += [feed_a.beats.eq(pairs.pair.payload.a), feed_b.beats.eq(pairs.pair.payload.b)]

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
                m.d.sync += [last.eq(0), state.eq(self._State.NEXT)]
            with m.Case(self._State.NEXT):
                m.d.comb += [feed_a.drop.eq(1), feed_b.drop.eq(1)]
                with m.If(feed_a.exhausted & feed_b.exhausted & free):
                    with m.If(last):
                        m.d.sync += state.eq(self._State.LAND)
                    with m.Elif(pairs.pair.valid):
                        m.d.comb += [feed_a.load.eq(1), feed_b.load.eq(1), pairs.pair.ready.eq(1)]
                        m.d.sync += [
                            request.valid.eq(1),
                            request.payload.address.eq(
                                self._address(self.target, pairs.pair.payload.offset)
                            ),
                            request.payload.beats.eq(pairs.pair.payload.out),
                            out_left.eq(pairs.pair.payload.out),
                            last.eq(pairs.pair.payload.last),
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
                        m.d.sync += state.eq(self._State.NEXT)
            with m.Case(self._State.LAND), m.If(self.write.idle):
                m.d.sync += [self.run.done.eq(1), state.eq(self._State.IDLE)]
        return m

    def _walk(self, m: Module) -> RunPairs:
        """A walk over the pairs of the pass."""
        pairs = RunPairs(self._config)
        m.d.comb += [
            pairs.start.eq(self.run.start),
            pairs.beats.eq(self.beats),
            pairs.stride.eq(self.stride),
            pairs.keep.eq(self.keep),
        ]
        return pairs

    def _address(self, base: Value, beats: Value) -> Value:
        return base + (beats << exact_log2(self._config.bus_bytes))

    def _request_runs(self, m: Module) -> None:
        """Ask for the runs of pair after pair, on both channels at once, ahead of the merging."""
        m.submodules.ahead = ahead = self._walk(m)
        m.submodules.pair_fork = fork = StreamFork(ahead.pair.payload.shape(), 2)
        wiring.connect(m, ahead.pair, fork.i)
        even, odd = fork.o[0].payload, fork.o[1].payload
        for pair, read, offset, beats in (
            (fork.o[0], self.read_a, even.offset, even.a),
            # The offset is a multiple of twice the stride.
            (fork.o[1], self.read_b, odd.offset | self.stride, odd.b),
        ):
            m.d.comb += [
                read.request.payload.address.eq(self._address(self.source, offset)),
                read.request.payload.beats.eq(beats),
                read.request.valid.eq(pair.valid & (beats != 0)),
                pair.ready.eq(read.request.ready | (beats == 0)),
            ]
