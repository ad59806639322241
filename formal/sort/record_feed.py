"""Record feed: the records of a run's beats, in order."""

from typing import Any

from amaranth.hdl import Assert, Assume, Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from formal.proof import Proof
from formal.streams import keeps_its_offer
from hw.config import PRESETS, RECORD_BITS
from hw.sort.record_feed import RecordFeed

_CONFIG = PRESETS["tiny"]
_RECORDS = _CONFIG.records_per_beat
_BITS = 2
"""Of a record that are not 0."""


class _Properties(wiring.Component):
    """Records are noted in slots, the next one in the lowest."""

    def __init__(self, unit: Any):
        self._unit = unit(_CONFIG)
        super().__init__(
            {
                "load": In(1),
                "beats": self._unit.signature.members["beats"],
                "drop": In(1),
                "beat": In(stream.Signature(_BITS * _RECORDS)),
                "record": Out(stream.Signature(RECORD_BITS)),
                "reached": Out(3),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        wiring.connect(m, unit.record, wiring.flipped(self.record))
        records = [self.beat.payload.word_select(place, _BITS) for place in range(_RECORDS)]
        keeps_its_offer(m, self.beat, Assume)
        slots = [Signal(_BITS, name=f"slot_{place}") for place in range(_RECORDS + 1)]
        count, left = Signal(range(2 * _RECORDS + 2)), Signal.like(self.beats)
        m.d.comb += [
            unit.load.eq(self.load),
            unit.beats.eq(self.beats),
            unit.drop.eq(self.drop),
            unit.beat.valid.eq(self.beat.valid),
            self.beat.ready.eq(unit.beat.ready),
            *(
                unit.beat.payload.word_select(place, RECORD_BITS).eq(record)
                for place, record in enumerate(records)
            ),
            Assume(~self.load | unit.exhausted),
        ]
        taken, pops = unit.beat.valid & unit.beat.ready, unit.record.valid & unit.record.ready
        stay = Signal.like(count)
        m.d.comb += stay.eq(count - pops)
        m.d.sync += [
            left.eq(Mux(self.load, self.beats, left - taken)),
            count.eq(Mux(self.drop, 0, stay + Mux(taken, _RECORDS, 0))),
        ]
        for place, slot in enumerate(slots):
            kept: Value = slots[place + 1] if place < _RECORDS else slot
            kept = Mux(pops, kept, slot)
            for new, record in enumerate(records):
                kept = Mux(taken & (stay + new == place), record, kept)
            m.d.sync += slot.eq(kept)
        m.d.comb += [
            Assert(unit.record.valid == (count != 0)),
            Assert((count == 0) | (unit.record.payload == slots[0])),
            Assert(count <= _RECORDS + 1),
            Assert(unit.beat.ready == ((left != 0) & ((count <= 1) | self.drop))),
            Assert(unit.exhausted == ((left == 0) & (count == 0))),
            self.reached.eq(
                Cat(count == _RECORDS + 1, taken & pops, taken & self.drop & (count != 0))
            ),
        ]
        return m


PROOF = Proof(
    RecordFeed,
    f"runs of any length, {_RECORDS} records a beat: a record is offered while there is one, the"
    " next in order, a cycle after its beat was taken; a beat is taken while no more than a record"
    " is there; what is dropped does not come; exhausted with the last",
    _Properties,
    (
        ("self.drop | (level <= 1)", "level <= 1"),
        ("self.drop | (level <= 1)", "level <= 2"),
        ("stays = (level == 1) & ~pop", "stays = level == 1"),
        ("Cat(beat, beat[-RECORD_BITS:])", "Cat(beat[RECORD_BITS:], beat)"),
        ("left.eq(left - taken)", "left.eq(left - self.beat.valid)"),
        ("(left == 0) & (level == 0)", "(left == 0)"),
        ("m.d.sync += level.eq(0)", "m.d.sync += level.eq(level - pop)"),
        ("with m.Elif(pop):", "with m.Else():"),
    ),
    ("a record beside a beat's", "a beat comes as a record leaves", "a beat is dropped"),
)
