"""Resolve: puts dst tokens in the place of their slots, in the pairs that are kept."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.handshake import Handshake
from hw.blocks.stream_queue import StreamQueue
from hw.blocks.unpacker import Unpacker
from hw.bus.client import ReadClient, WriteClient
from hw.config import DST_WORD_BITS, RECORD_BITS, EngineConfig
from hw.words import dst_word, pair_record

_DST_BITS = pair_record()["dst"].width
_PATCH_BITS = -(-_DST_BITS // 8) * 8
"""Bits of a record that are written: the whole bytes that hold its dst."""

_TURN = 3
"""Cycles of a place in the queue of lookups besides memory's."""


class Resolve(wiring.Component):
    """Replaces the slot in the ``dst`` field of each of a list's pair records by its token.

    Ports:
        ``run`` In `Handshake`: done comes when all is written and acknowledged. From start to done
        ``count`` In of records, ``records_address`` In, and ``dst_address`` In of the list of
        `hw.words.dst_word`, all in bytes and beat-aligned.
        ``read_records``, ``read_dst`` Out `ReadClient`: each record's slot is looked up with a
        request of one beat. ``write`` Out `WriteClient`: beats with the strobes of the bytes that
        hold the ``dst`` fields, so that the rest of a record, and the records behind ``count`` in
        the last beat, stay as they are.

    A record a cycle while memory answers a lookup within `ahead` cycles, less the `_TURN`; else
    ``ahead`` records in that time. Cycles: see `cycles`. With count 0 nothing is read or written.
    """

    ahead = 16
    """Most lookups under way."""

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "run": In(Handshake()),
                "count": In(config.count_bits),
                "records_address": In(config.address_bits),
                "dst_address": In(config.address_bits),
                "read_records": Out(ReadClient(config)),
                "read_dst": Out(ReadClient(config)),
                "write": Out(WriteClient(config)),
            }
        )

    def cycles(self, count: int, latency: int) -> int:
        """Cycles from start to done, if memory takes what it is asked at once.

        It answers a request after ``latency`` cycles, and acknowledges a write as late: the
        records, the first dst and the last write are waited for.
        """
        if count == 0:
            return 2
        waits = (count - 1) // self.ahead * max(0, latency + _TURN - self.ahead)
        return count + 6 + 3 * latency + waits

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        per_beat = config.records_per_beat
        beats = (self.count + (per_beat - 1)) >> exact_log2(per_beat)
        for request in (self.read_records.request, self.write.request):
            m.d.comb += [
                request.payload.address.eq(self.records_address),
                request.payload.beats.eq(beats),
            ]
            with m.If(self.run.start):
                m.d.sync += request.valid.eq(self.count != 0)
            with m.Elif(request.ready):
                m.d.sync += request.valid.eq(0)

        busy = Signal()
        m.d.sync += self.run.done.eq(0)
        with m.If(self.run.start):
            m.d.sync += busy.eq(1)
        with m.Elif(busy & ~self.write.request.valid & self.write.idle):
            m.d.sync += [self.run.done.eq(1), busy.eq(0)]

        self._write(m, self._ask(m))
        return m

    def _ask(self, m: Module) -> StreamQueue:
        """Ask for the slot of each record; what is needed of it when the answer comes, queued."""
        config = self._config
        place_bits = exact_log2(config.bus_bits // DST_WORD_BITS)
        m.submodules.unpacker = unpacker = Unpacker(config.bus_bits, RECORD_BITS, config.max_tokens)
        kept = data.StructLayout({"place": place_bits, "rest": _PATCH_BITS - _DST_BITS, "last": 1})
        m.submodules.asked = asked = StreamQueue(kept, self.ahead)
        wiring.connect(m, wiring.flipped(self.read_records.beat), unpacker.beat)
        word, request = unpacker.word, self.read_dst.request
        record = word.payload.data
        slot = record[:_DST_BITS]
        free = ~request.valid | request.ready
        m.d.comb += [
            unpacker.words.eq(self.count),
            word.ready.eq(free & asked.i.ready),
            asked.i.valid.eq(word.valid & free),
            asked.i.payload.place.eq(slot[:place_bits]),
            asked.i.payload.rest.eq(record[_DST_BITS:_PATCH_BITS]),
            asked.i.payload.last.eq(word.payload.last),
            request.payload.beats.eq(1),
        ]
        with m.If(word.valid & word.ready):
            m.d.sync += [
                request.valid.eq(1),
                request.payload.address.eq(
                    self.dst_address
                    + Cat(Const(0, exact_log2(config.bus_bytes)), slot[place_bits:])
                ),
            ]
        with m.Elif(request.ready):
            m.d.sync += request.valid.eq(0)
        return asked

    def _write(self, m: Module, asked: StreamQueue) -> None:
        """Gather the patches of a beat, and write them."""
        per_beat = self._config.records_per_beat
        beat = self.write.beat
        answer, kept = self.read_dst.beat, asked.o
        word = data.View(dst_word(), answer.payload.word_select(kept.payload.place, DST_WORD_BITS))
        place = Signal(range(per_beat))
        full = Signal()
        resolved = Signal(per_beat)
        free = ~full | (beat.valid & beat.ready)
        taken = Signal()
        m.d.comb += [
            taken.eq(answer.valid & kept.valid & free),
            answer.ready.eq(kept.valid & free),
            kept.ready.eq(answer.valid & free),
            beat.valid.eq(full & ~self.write.request.valid),
        ]
        with m.If(beat.valid & beat.ready):
            m.d.sync += [full.eq(0), resolved.eq(0)]
        with m.If(taken):
            m.d.sync += [
                full.eq(kept.payload.last | (place == per_beat - 1)),
                place.eq(Mux(kept.payload.last, 0, place + 1)),
            ]
        for index in range(per_beat):
            patch = Signal(_PATCH_BITS, name=f"patch_{index}", reset_less=True)
            with m.If(taken & (place == index)):
                m.d.sync += [
                    patch.eq(Cat(word.token, kept.payload.rest)),
                    resolved[index].eq(1),
                ]
            m.d.comb += [
                beat.payload.data.word_select(index, RECORD_BITS).eq(patch),
                beat.payload.strobe.word_select(index, RECORD_BITS // 8).eq(
                    resolved[index].replicate(_PATCH_BITS // 8)
                ),
            ]
