"""Record reader: the beats of a list of records, whole chunks of them, from what lies in memory."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.bus.client import ReadClient
from hw.config import ENTRY_BITS, RECORD_BITS, EngineConfig
from hw.sort.entry_records import EntryRecords
from hw.sort.record_source import RecordSource


def length_bits(config: EngineConfig) -> int:
    """Bits of a number of records: a list holds one a token, or one a channel."""
    return max(config.count_bits, config.channel_bits + 1)


class RecordReader(wiring.Component):
    """Reads a list of records, or entries and makes records of them, and pads it to whole chunks.

    Ports: ``start`` In pulse; from it to the last beat ``source`` In `RecordSource`, ``count`` In
    (of records, or of entries, at least 1) and ``address`` In (of the first, in bytes); ``read``
    Out `ReadClient`; ``beat`` Out stream of beats of records; ``exhausted`` Out: the last one was
    taken.

    The beats that hold ``count`` records or entries are read, and no more; the records beyond
    them, up to a whole chunk, are all-ones. Latency 0. A beat of words or of padding a cycle, one
    of what was entries every second cycle.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "start": In(1),
                "source": In(RecordSource),
                "count": In(length_bits(config)),
                "address": In(config.address_bits),
                "read": Out(ReadClient(config)),
                "beat": Out(stream.Signature(config.bus_bits)),
                "exhausted": Out(1),
            }
        )

    def cycles(self, source: RecordSource, count: int) -> int:
        """Cycles from the first beat that is read to the last one that is taken, both counted."""
        per_beat, chunk = self._config.records_per_beat, self._config.chunk_records
        beats, filled = -(-count // chunk) * chunk // per_beat, -(-count // per_beat)
        return beats if source == RecordSource.WORDS else beats + filled

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        words = self.source == RecordSource.WORDS
        per_beat = config.records_per_beat
        place_bits = exact_log2(per_beat)
        chunk_bits = exact_log2(config.chunk_records // per_beat)
        m.submodules.entries = entries = EntryRecords(config)

        request = self.read.request
        m.d.comb += [
            request.payload.address.eq(self.address),
            request.payload.beats.eq(Mux(words, self._beats(RECORD_BITS), self._beats(ENTRY_BITS))),
        ]
        with m.If(self.start):
            m.d.sync += request.valid.eq(1)
        with m.Elif(request.ready):
            m.d.sync += request.valid.eq(0)

        index = Signal.like(entries.index)
        in_last = self.count[:place_bits]
        last = index == self.count[place_bits:]  # The first beat that has records to pad.
        beyond = Signal()
        none = Signal()
        m.d.comb += [
            none.eq(beyond | (last & (in_last == 0))),
            entries.source.eq(self.source),
            entries.index.eq(index),
            entries.short.eq(last & (in_last <= per_beat // 2)),
            entries.entry.payload.eq(self.read.beat.payload),
            entries.entry.valid.eq(self.read.beat.valid & ~words),
            entries.record.ready.eq(self.beat.ready),
            self.read.beat.ready.eq(Mux(words, self.beat.ready, entries.entry.ready)),
        ]
        records = Mux(words, self.read.beat.payload, entries.record.payload)
        some = Mux(words, self.read.beat.valid, entries.record.valid)
        begun = index[:chunk_bits] != 0
        m.d.comb += [
            self.exhausted.eq(none & ~begun),
            self.beat.valid.eq(some | (none & begun)),
            self.beat.payload.eq(
                Cat(
                    records.word_select(place, RECORD_BITS)
                    | (beyond | (last & (in_last <= place))).replicate(RECORD_BITS)
                    for place in range(per_beat)
                )
            ),
        ]
        with m.If(self.start):
            m.d.sync += [index.eq(0), beyond.eq(0)]
        with m.Elif(self.beat.valid & self.beat.ready):
            m.d.sync += [index.eq(index + 1), beyond.eq(beyond | last)]
        return m

    def _beats(self, bits: int) -> Value:
        """The beats that hold ``count`` words of so many bits."""
        words = self._config.bus_bits // bits
        return (self.count + (words - 1)) >> exact_log2(words)
