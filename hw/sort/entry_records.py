"""Entry records: makes the entries of tokens to records that can be sorted."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.config import ENTRY_BITS, RECORD_BITS, EngineConfig
from hw.sort.record_source import RecordSource
from hw.words import entry, member_record, pair_record


class EntryRecords(wiring.Component):
    """Joins the records of two beats of entries, `hw.words.entry`, to a beat of records.

    A record holds half the bits of an entry. With PAIRS it is the `hw.words.pair_record` of a src,
    its ``dst`` the slot, and all-ones for a dst, which then ends up behind every pair. With GROUPS
    it is the `hw.words.member_record`, its ``count`` 0 for a src and its ``joined`` 0 for a dst.

    Ports:
        ``source`` In `RecordSource`, PAIRS or else GROUPS.
        ``index`` In: which beat of records comes next, from 0 up; a record's token follows from it.
        ``short`` In: there are no more entries for its upper half, which then holds leftovers.
        ``entry``, ``record`` In and Out streams of beats. ``index`` and ``short`` change only
        when a beat of records was taken.

    Latency 0 from the second of two beats of entries; where the beat is short, 1 from the only one.
    A beat of entries a cycle.
    """

    def __init__(self, config: EngineConfig):
        self._entries = config.bus_bits // ENTRY_BITS
        super().__init__(
            {
                "source": In(RecordSource),
                "index": In(range(config.list_beats + 1)),
                "short": In(1),
                "entry": In(stream.Signature(config.bus_bits)),
                "record": Out(stream.Signature(config.bus_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        upper = Signal()  # The lower half is there already.
        half = Cat(self._record(m, place, upper) for place in range(self._entries))
        lower = Signal(len(half), reset_less=True)
        m.d.comb += [
            self.record.payload.eq(Cat(lower, half)),
            self.record.valid.eq(upper & (self.entry.valid | self.short)),
            self.entry.ready.eq(~upper | (self.record.ready & ~self.short)),
        ]
        with m.If(self.record.valid & self.record.ready):
            m.d.sync += upper.eq(0)
        with m.Elif(self.entry.valid & ~upper):
            m.d.sync += [lower.eq(half), upper.eq(1)]
        return m

    def _record(self, m: Module, place: int, upper: Value) -> Value:
        """The record of the entry at ``place`` of its beat."""
        word = data.View(entry(), self.entry.payload.word_select(place, ENTRY_BITS))
        token = Cat(Const(place, exact_log2(self._entries)), upper, self.index)
        member = Signal(member_record(), name=f"member_{place}")
        pair = Signal(pair_record(), name=f"pair_{place}")
        m.d.comb += [
            member.count.eq(Mux(word.is_dst, word.count, 0)),
            member.joined.eq(word.joined & ~word.is_dst),
            member.token.eq(token),
            member.is_src.eq(~word.is_dst),
            member.slot.eq(word.slot),
            pair.dst.eq(word.slot),
            pair.src.eq(token),
            pair.loss.eq(word.loss),
        ]
        as_pair = pair.as_value() | word.is_dst.replicate(RECORD_BITS)
        return Mux(self.source == RecordSource.PAIRS, as_pair, member.as_value())
