"""Chunk sorter: sorts a list of records chunk by chunk, which merging starts from."""

from amaranth.hdl import Cat, EnableInserter, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.handshake import Handshake
from hw.bus.client import ReadClient, WriteClient
from hw.config import RECORD_BITS, EngineConfig
from hw.sort.bitonic import BitonicSorter
from hw.sort.run_pairs import beat_bits


def length_bits(config: EngineConfig) -> int:
    """Bits of a number of records: a list holds one a token, or one a channel."""
    return max(config.count_bits, config.channel_bits + 1)


class ChunkSorter(wiring.Component):
    """Sorts a list chunk by chunk with the bitonic network, and pads the last chunk.

    Ports: ``run`` In `Handshake`: done comes when all is written and acknowledged; from start to
    done: ``count`` (records), ``beats`` (of whole chunks), ``source`` and ``target`` In (byte
    addresses, which may be the same: a beat is written only after it was read); ``read`` Out
    `ReadClient`; ``write`` Out `WriteClient`.

    Records beyond ``count`` become all-ones. A beat a cycle, and the network's latency once. While
    memory takes no beat, the network is held as soon as its last stage is full.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "run": In(Handshake()),
                "count": In(length_bits(config)),
                "beats": In(beat_bits(config)),
                "source": In(config.address_bits),
                "target": In(config.address_bits),
                "read": Out(ReadClient(config)),
                "write": Out(WriteClient(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        chunk = config.chunk_records
        per_beat = config.records_per_beat
        chunk_beats = chunk // per_beat
        sorter = BitonicSorter(config, chunk)
        read, write = self.read, self.write

        advance = Signal()
        m.submodules.sorter = EnableInserter(advance)(sorter)

        # Beats gather from the top, so that the first ends up lowest.
        gathered = Signal(chunk * RECORD_BITS, reset_less=True)
        fill = Signal(range(chunk_beats + 1))
        unread = Signal.like(self.count)
        full = fill == chunk_beats
        taken = read.beat.valid & read.beat.ready
        m.d.comb += [
            read.request.payload.address.eq(self.source),
            read.request.payload.beats.eq(self.beats),
            read.beat.ready.eq(~full | advance),
            sorter.chunk.payload.eq(gathered),
            sorter.chunk.valid.eq(full),
        ]
        m.d.sync += fill.eq(Mux(full & advance, 0, fill) + taken)
        with m.If(taken):
            m.d.sync += [
                gathered.eq(Cat(gathered, self._padded(unread))[len(read.beat.payload) :]),
                unread.eq(
                    Mux(unread < config.records_per_beat, 0, unread - config.records_per_beat)
                ),
            ]

        # A sorted chunk moves to a register of its own, so that the network goes on meanwhile.
        leaving = Signal.like(gathered, reset_less=True)
        parts = Signal.like(fill)
        unwritten = Signal.like(self.beats)
        written = write.beat.valid & write.beat.ready
        left = (parts == 0) | (written & (parts == 1))
        m.d.comb += [
            write.request.payload.address.eq(self.target),
            write.request.payload.beats.eq(self.beats),
            write.beat.payload.data.eq(leaving),
            write.beat.payload.strobe.eq(~0),
            write.beat.valid.eq((parts != 0) & ~write.request.valid),
            advance.eq(~sorter.sorted.valid | left),
        ]
        m.d.sync += unwritten.eq(unwritten - written)
        with m.If(sorter.sorted.valid & left):
            m.d.sync += [leaving.eq(sorter.sorted.payload), parts.eq(chunk_beats)]
        with m.Elif(written):
            m.d.sync += [leaving.eq(leaving >> len(read.beat.payload)), parts.eq(parts - 1)]

        for request in (read.request, write.request):
            with m.If(request.valid & request.ready):
                m.d.sync += request.valid.eq(0)
        busy = Signal()
        m.d.sync += self.run.done.eq(0)
        with m.If(self.run.start):
            m.d.sync += [
                read.request.valid.eq(1),
                write.request.valid.eq(1),
                unread.eq(self.count),
                unwritten.eq(self.beats),
                busy.eq(1),
            ]
        with m.Elif(busy & (unwritten == 0) & write.idle):
            m.d.sync += [self.run.done.eq(1), busy.eq(0)]
        return m

    def _padded(self, unread: Value) -> Value:
        """The beat's records, but all-ones beyond the ``unread`` that the list has left."""
        place_bits = exact_log2(self._config.records_per_beat)
        last_beat = unread[place_bits:] == 0
        return Cat(
            self.read.beat.payload.word_select(i, RECORD_BITS)
            | (last_beat & (unread[:place_bits] <= i)).replicate(RECORD_BITS)
            for i in range(self._config.records_per_beat)
        )
