"""Record feed: cuts the beats of a sorted run into records that can be compared."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.config import RECORD_BITS, EngineConfig
from hw.sort.run_walk import beat_bits


class RecordFeed(wiring.Component):
    """Cuts the beats of a run into records, a record a cycle.

    Ports: ``load`` In pulse, only while ``exhausted``, with ``beats`` In of the run; ``drop`` In:
    what is left of the run is dropped, a beat a cycle; ``beat`` In stream; ``record`` Out stream;
    ``exhausted`` Out: no record of the run is left.

    A run's first record is offered a cycle after its beat was taken. There is room for a record
    beside a beat, so that whether a beat is taken never depends on the comparison in this cycle.
    ``drop`` breaks the rule that an offered record stays: only who takes the records may drop them.
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
        level = Signal(range(self._records_per_beat + 2))
        records = Signal((self._records_per_beat + 1) * RECORD_BITS, reset_less=True)
        head, beat = records[:RECORD_BITS], self.beat.payload

        pop, taken = Signal(), Signal()
        m.d.comb += [
            self.record.payload.eq(head),
            self.record.valid.eq(level != 0),
            pop.eq(self.record.valid & self.record.ready),
            self.beat.ready.eq((left != 0) & (self.drop | (level <= 1))),
            taken.eq(self.beat.valid & self.beat.ready),
            self.exhausted.eq((left == 0) & (level == 0)),
        ]
        m.d.sync += left.eq(left - taken)
        with m.If(self.load):
            m.d.sync += left.eq(self.beats)
        with m.If(self.drop):
            m.d.sync += level.eq(0)
        with m.Else():
            m.d.sync += level.eq(level + Mux(taken, self._records_per_beat, 0) - pop)
        with m.If(taken):
            # A record that stays has the beat's behind it.
            stays = (level == 1) & ~pop
            m.d.sync += records.eq(Mux(stays, Cat(head, beat), Cat(beat, beat[-RECORD_BITS:])))
        with m.Elif(pop):
            m.d.sync += records.eq(Cat(records[RECORD_BITS:], records[-RECORD_BITS:]))
        return m
