"""Chunk sorter: sorts a list of records chunk by chunk, which merging starts from."""

from amaranth.hdl import Cat, EnableInserter, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.handshake import Handshake
from hw.bus.client import ReadClient, WriteClient
from hw.config import RECORD_BITS, EngineConfig
from hw.sort.bitonic import BitonicSorter
from hw.sort.record_reader import RecordReader, length_bits
from hw.sort.record_source import RecordSource
from hw.sort.run_walk import beat_bits


class ChunkSorter(wiring.Component):
    """Sorts a list chunk by chunk with the bitonic network, and pads the last chunk.

    Ports: ``run`` In `Handshake`: done comes when all is written and acknowledged; from start to
    done ``source``, ``count`` and ``read_address`` In, as those of `RecordReader`, ``beats`` In (of
    whole chunks) and ``write_address`` In; ``read`` Out `ReadClient`; ``write`` Out `WriteClient`.
    The addresses may be the same where words are read: a beat is written only after it was read.

    A beat of records a cycle, or what `RecordReader` takes for it. A chunk stays in the network's
    last stage until its last beat was written, and all of the network stays while the next chunk
    is gathered; what that costs in all, `drain_cycles` says.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "run": In(Handshake()),
                "source": In(RecordSource),
                "count": In(length_bits(config)),
                "beats": In(beat_bits(config)),
                "read_address": In(config.address_bits),
                "write_address": In(config.address_bits),
                "read": Out(ReadClient(config)),
                "write": Out(WriteClient(config)),
            }
        )

    def drain_cycles(self, chunks: int) -> int:
        """Cycles from the last beat that is gathered to the last one that is written.

        The last chunk goes through the network and out; those before it, as many as there are
        stages, leave the network only now.
        """
        latency = BitonicSorter(self._config, self._config.chunk_records).latency
        beats = self._config.chunk_records // self._config.records_per_beat
        return latency + 1 + (beats - 1) * min(chunks, latency)

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        chunk = config.chunk_records
        chunk_beats = chunk // config.records_per_beat
        m.submodules.reader = reader = RecordReader(config)
        wiring.connect(m, wiring.flipped(self.read), reader.read)
        m.d.comb += [
            reader.start.eq(self.run.start),
            reader.source.eq(self.source),
            reader.count.eq(self.count),
            reader.address.eq(self.read_address),
        ]

        advance = Signal()
        sorter = BitonicSorter(config, chunk)
        m.submodules.sorter = EnableInserter(advance)(sorter)

        # Beats gather from the top, so that the first ends up lowest.
        gathered = Signal(chunk * RECORD_BITS, reset_less=True)
        fill = Signal(range(chunk_beats + 1))
        full = fill == chunk_beats
        taken = reader.beat.valid & reader.beat.ready
        m.d.comb += [
            reader.beat.ready.eq(~full | advance),
            sorter.chunk.payload.eq(gathered),
            sorter.chunk.valid.eq(full),
        ]
        m.d.sync += fill.eq(Mux(full & advance, 0, fill) + taken)
        with m.If(taken):
            m.d.sync += gathered.eq(Cat(gathered, reader.beat.payload)[config.bus_bits :])

        request, beat = self.write.request, self.write.beat
        parts = Signal(range(chunk_beats + 1))  # How many beats of the sorted chunk are written.
        left = Signal()
        written = beat.valid & beat.ready
        m.d.comb += [
            request.payload.address.eq(self.write_address),
            request.payload.beats.eq(self.beats),
            beat.payload.data.eq(
                sorter.sorted.payload.as_value().word_select(
                    parts[: exact_log2(chunk_beats)], config.bus_bits
                )
            ),
            beat.payload.strobe.eq(~0),
            beat.valid.eq(sorter.sorted.valid & (parts != chunk_beats) & ~request.valid),
            left.eq(~sorter.sorted.valid | (parts + written == chunk_beats)),
            advance.eq(left & (full | reader.exhausted)),
        ]
        m.d.sync += parts.eq(Mux(advance, 0, parts + written))

        busy = Signal()
        m.d.sync += self.run.done.eq(0)
        with m.If(self.run.start):
            m.d.sync += [request.valid.eq(1), busy.eq(1)]
        with m.Elif(request.valid):
            m.d.sync += request.valid.eq(~request.ready)
        with m.Elif(busy & self.write.idle):
            m.d.sync += [self.run.done.eq(1), busy.eq(0)]
        return m
