"""Packer: copies dst rows into the packed region, from which the DAU streams whole tiles."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.bus.client import ReadClient, WriteClient
from hw.config import EngineConfig
from hw.job import Job, row_address
from hw.words import assignment

_ROWS_IN_FLIGHT = 32


class Packer(wiring.Component):
    """Writes a slot's token, chunk by chunk, into its lane of its tile in the packed region.

    The packed region holds, tile by tile and chunk by chunk, one chunk of each of the P dst of
    the tile, so that pairing reads it as one run of long bursts although medoids lie anywhere. A
    beat of a row becomes P beats, in which byte strobes pick the slot's lane.

    Ports:
        ``job`` In, constant while slots come.
        ``assign`` In stream of `assignment`; ``idle`` Out: nothing accepted is unwritten.
        ``read`` Out `ReadClient` of the quantised rows; ``write`` Out `WriteClient`.

    Throughput: tile_beats + 1 cycles a slot: its request, then a write beat a cycle; 32 rows are
    requested ahead.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "job": In(Job(config)),
                "assign": In(stream.Signature(assignment(config))),
                "idle": Out(1),
                "read": Out(ReadClient(config)),
                "write": Out(WriteClient(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        lane_bits = exact_log2(config.dst_lanes)

        # A slot is accepted when its row can be requested and remembered at once.
        m.submodules.waiting = waiting = SyncFIFOBuffered(
            width=config.slot_bits, depth=_ROWS_IN_FLIGHT
        )
        assign, job = self.assign.payload, self.job
        m.d.comb += [
            self.read.request.payload.address.eq(
                row_address(config, job.quantized_address, job.row_beats, assign.token)
            ),
            self.read.request.payload.beats.eq(job.row_beats),
            self.read.request.valid.eq(self.assign.valid & waiting.w_rdy),
            self.assign.ready.eq(self.read.request.ready & waiting.w_rdy),
            waiting.w_data.eq(assign.slot),
            waiting.w_en.eq(self.assign.valid & self.assign.ready),
        ]

        lane = waiting.r_data[:lane_bits]
        tile = waiting.r_data[lane_bits:]
        written = Signal.like(job.tile_beats)
        part = written[:lane_bits]
        announced = Signal()
        last = written == job.tile_beats - 1
        chunk_bits = config.chunk_bits
        words = self.read.beat.payload.word_select(part, chunk_bits * config.words_per_beat)
        chunks = [words.word_select(i, chunk_bits) for i in range(config.words_per_beat)]
        lane_strobe = (1 << chunk_bits // 8) - 1
        strobe = (lane_strobe << (lane * (chunk_bits // 8)))[: config.dst_lanes * chunk_bits // 8]

        m.d.comb += [
            self.write.request.payload.address.eq(
                row_address(config, job.packed_address, job.tile_beats, tile)
            ),
            self.write.request.payload.beats.eq(job.tile_beats),
            self.write.request.valid.eq(waiting.r_rdy & ~announced),
            # The chunk stands in every lane; only the slot's own is written.
            self.write.beat.payload.data.eq(
                Cat(chunk.replicate(config.dst_lanes) for chunk in chunks)
            ),
            self.write.beat.payload.strobe.eq(strobe.replicate(config.words_per_beat)),
            self.write.beat.valid.eq(announced & self.read.beat.valid),
            self.idle.eq(~waiting.r_rdy & (waiting.level == 0) & self.write.idle),
        ]
        with m.If(self.write.request.valid & self.write.request.ready):
            m.d.sync += announced.eq(1)
        with m.If(self.write.beat.valid & self.write.beat.ready):
            m.d.sync += written.eq(written + 1)
            m.d.comb += self.read.beat.ready.eq(last | (part == config.dst_lanes - 1))
            with m.If(last):
                m.d.comb += waiting.r_en.eq(1)
                m.d.sync += [written.eq(0), announced.eq(0)]
        return m
