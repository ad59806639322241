"""Entry records: what becomes of each entry, and which beats are joined."""

from typing import Any

from amaranth.hdl import Assert, Assume, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from formal.proof import Proof
from formal.streams import comes_in
from hw.config import ENTRY_BITS, PRESETS, RECORD_BITS
from hw.sort.entry_records import EntryRecords
from hw.sort.record_source import RecordSource
from hw.words import entry, member_record, pair_record

_CONFIG = PRESETS["tiny"]
_ENTRIES = _CONFIG.bus_bits // ENTRY_BITS
_ALL_ONES = (1 << RECORD_BITS) - 1


class _Properties(wiring.Component):
    """``index``, ``short`` and ``source`` change only as a beat of records is taken."""

    def __init__(self, unit: Any):
        self._unit = unit(_CONFIG)
        beat = stream.Signature(_CONFIG.bus_bits)
        super().__init__(
            {
                "entry": In(beat),
                "record": Out(beat),
                "source": In(RecordSource),
                "index": In(range(_CONFIG.list_beats + 1)),
                "short": In(1),
                "reached": Out(3),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        comes_in(m, self.entry, unit.entry)
        wiring.connect(m, unit.record, wiring.flipped(self.record))
        given = Cat(self.source, self.index, self.short)
        m.d.comb += [
            unit.source.eq(self.source),
            unit.index.eq(self.index),
            unit.short.eq(self.short),
            Assume((self.source == RecordSource.PAIRS) | (self.source == RecordSource.GROUPS)),
        ]
        came, left = unit.entry.valid & unit.entry.ready, unit.record.valid & unit.record.ready
        first, has_first = Signal(_CONFIG.bus_bits), Signal()
        before, free = Signal.like(given), Signal(init=1)
        m.d.sync += [before.eq(given), free.eq(left)]
        m.d.comb += Assume(free | (given == before))
        with m.If(came & ~has_first):
            m.d.sync += [first.eq(unit.entry.payload), has_first.eq(1)]
        with m.If(left):
            m.d.sync += has_first.eq(0)
        m.d.comb += [
            Assert(unit.record.valid == (has_first & (self.short | unit.entry.valid))),
            Assert(unit.entry.ready == (~has_first | (unit.record.ready & ~self.short))),
        ]
        for place in range(2 * _ENTRIES):
            beat = first if place < _ENTRIES else unit.entry.payload
            word = data.View(entry(), beat.word_select(place % _ENTRIES, ENTRY_BITS))
            record = unit.record.payload.word_select(place, RECORD_BITS)
            counts = unit.record.valid & (~self.short if place >= _ENTRIES else 1)
            token = Signal(range(2 * _ENTRIES * (_CONFIG.list_beats + 2)), name=f"token_{place}")
            m.d.comb += token.eq(self.index * (2 * _ENTRIES) + place)
            with m.If(counts):
                self._is_due(m, record, word, token)
        m.d.comb += self.reached.eq(
            Cat(left & self.short, left & ~self.short, left & (self.source == RecordSource.PAIRS))
        )
        return m

    def _is_due(self, m: Module, record: Value, word: Any, token: Value) -> None:
        pair, member = data.View(pair_record(), record), data.View(member_record(), record)
        with m.If((self.source == RecordSource.PAIRS) & word.is_dst):
            m.d.comb += Assert(record == _ALL_ONES)
        with m.Elif(self.source == RecordSource.PAIRS):
            m.d.comb += [
                Assert(pair.dst == word.slot),
                Assert(pair.src == token),
                Assert(pair.loss == word.loss),
            ]
        with m.Else():
            m.d.comb += [
                Assert(member.count == Mux(word.is_dst, word.count, 0)),
                Assert(member.joined == Mux(word.is_dst, 0, word.joined)),
                Assert(member.token == token),
                Assert(member.is_src != word.is_dst),
                Assert(member.slot == word.slot),
                Assert(member.zero == 0),
            ]


PROOF = Proof(
    EntryRecords,
    f"beats of {_ENTRIES} entries: a beat of records is the pair or member records of two of them,"
    " with their tokens, offered with the second; or, where it is short, of the one there is; a"
    " beat of entries is taken once, in order",
    _Properties,
    (
        ("word.is_dst.replicate(RECORD_BITS)", "word.is_dst"),
        ("member.count.eq(Mux(word.is_dst, word.count, 0))", "member.count.eq(word.count)"),
        ("word.joined & ~word.is_dst", "word.joined"),
        ("upper, self.index)", "self.index, upper)"),
        ("member.is_src.eq(~word.is_dst)", "member.is_src.eq(word.is_dst)"),
        ("pair.loss.eq(word.loss)", "pair.loss.eq(word.bound)"),
        ("(self.entry.valid | self.short)", "self.entry.valid"),
        ("(self.record.ready & ~self.short)", "self.record.ready"),
        ("with m.Elif(self.entry.valid & ~upper)", "with m.Elif(self.entry.valid)"),
    ),
    ("a short beat leaves", "a whole one", "one of pairs"),
)
