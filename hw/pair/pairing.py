"""Pairing: every src token to its nearest dst slot (docs/definition.md, 'Pairing')."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.handshake import Handshake
from hw.blocks.stream_queue import StreamQueue
from hw.blocks.unpacker import Unpacker
from hw.bus.client import ReadClient, WriteClient
from hw.config import EngineConfig
from hw.job import Job
from hw.pair.dau import Dau, dst_word
from hw.pair.min_tree import MinTree
from hw.pair.pair_writer import BUFFERED_TILES, PairWriter
from hw.pair.src_loader import SrcLoader
from hw.words import dst_lookup, is_dst_lookup, link, weight_lookup

_SRC_QUEUE_TILES = 8
"""Src tiles between request and record: two buffered, three in the pipeline, three requested."""
LARGEST_REQUEST = 1 << 12
"""Beats of packed dst asked for at once."""


class Pairing(wiring.Component):
    """One pairing: streams all dst past each tile of Q src, P x Q x C lanes a cycle.

    Ports:
        ``run`` In `Handshake`: after start ``job`` In stays as it is, and done comes after the
            records are in memory; ``loss`` Out: L, until the next start.
        ``is_dst`` Out `is_dst_lookup`; ``dst`` Out `dst_lookup`; ``weight`` Out `weight_lookup`.
        ``push`` Out stream of `link`: the src of each slot.
        ``read_dst``, ``read_src`` Out `ReadClient`; ``write`` Out `WriteClient`.
        ``busy`` Out: the DAU takes a chunk.

    Cycles, where memory keeps up: src_tiles * tiles * chunks, and the time to fill and drain.
    The next src tile is loaded while one is paired, so the DAU waits only if the M / P * chunks
    cycles of a tile do not cover the loading of Q rows.
    """

    def __init__(self, config: EngineConfig, largest_request: int = LARGEST_REQUEST):
        self._config = config
        self._largest_request = largest_request
        super().__init__(
            {
                "run": In(Handshake()),
                "job": In(Job(config)),
                "loss": Out(config.loss_bits),
                "is_dst": Out(is_dst_lookup(config)),
                "dst": Out(dst_lookup(config)),
                "push": Out(stream.Signature(link(config))),
                "weight": Out(weight_lookup(config)),
                "read_dst": Out(ReadClient(config)),
                "read_src": Out(ReadClient(config)),
                "write": Out(WriteClient(config)),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        m.submodules.src_loader = loader = SrcLoader(config)
        m.submodules.src_queue = queue = StreamQueue(
            config.token_bits, _SRC_QUEUE_TILES * config.src_lanes
        )
        m.submodules.dau = dau = Dau(config)
        m.submodules.min_tree = min_tree = MinTree(config)
        m.submodules.pair_writer = writer = PairWriter(config)
        wiring.connect(m, wiring.flipped(self.run), writer.run)
        wiring.connect(m, loader.read, wiring.flipped(self.read_src))
        wiring.connect(m, writer.write, wiring.flipped(self.write))
        wiring.connect(m, writer.push, wiring.flipped(self.push))
        wiring.connect(m, writer.dst, wiring.flipped(self.dst))
        wiring.connect(m, loader.is_dst, wiring.flipped(self.is_dst))
        wiring.connect(m, loader.src, queue.i)
        wiring.connect(m, queue.o, writer.src)
        wiring.connect(m, min_tree.best, writer.best)
        m.d.comb += [
            loader.start.eq(self.run.start),
            loader.num_src.eq(self.job.num_src),
            loader.row_beats.eq(self.job.row_beats),
            loader.chunks.eq(self.job.chunks),
            loader.quantized_address.eq(self.job.quantized_address),
            writer.num_src.eq(self.job.num_src),
            writer.records_address.eq(self.job.records_address),
            self.loss.eq(writer.loss),
        ]
        self._request_dst(m)
        self._feed(m, loader, dau, writer)
        self._count_tiles(m, dau, min_tree)
        return m

    def _request_dst(self, m: Module) -> None:
        """Ask for the whole packed region, once for every src tile."""
        job, request = self.job, self.read_dst.request
        total = Signal(len(job.tiles) + len(job.tile_beats))
        left = Signal.like(total)
        src_tiles = Signal.like(job.src_tiles)
        address = Signal.like(job.packed_address)
        beats = Mux(left > self._largest_request, self._largest_request, left)
        starting = Signal()
        m.d.sync += [starting.eq(self.run.start), total.eq(job.tiles * job.tile_beats)]
        m.d.comb += [
            request.valid.eq(left != 0),
            request.payload.address.eq(address),
            request.payload.beats.eq(beats),
        ]
        with m.If(starting):
            m.d.sync += [
                left.eq(total),
                src_tiles.eq(job.src_tiles),
                address.eq(job.packed_address),
            ]
        with m.Elif(request.valid & request.ready):
            m.d.sync += [
                left.eq(left - beats),
                address.eq(address + (beats << exact_log2(self._config.bus_bytes))),
            ]
            with m.If((left == beats) & (src_tiles != 1)):
                m.d.sync += [
                    left.eq(total),
                    src_tiles.eq(src_tiles - 1),
                    address.eq(job.packed_address),
                ]

    def _feed(self, m: Module, loader: SrcLoader, dau: Dau, writer: PairWriter) -> None:
        """Send dst words, with the src and weights of the same chunk, into the DAU."""
        config, job = self._config, self.job
        m.submodules.dst_unpacker = unpacker = Unpacker(
            config.bus_bits, dst_word(config).size, config.max_chunks
        )
        wiring.connect(m, wiring.flipped(self.read_dst.beat), unpacker.beat)
        word = unpacker.word
        tile = Signal.like(job.tiles)
        under_way = Signal(range(BUFFERED_TILES + 1))
        first_of_src_tile = word.payload.first & (tile == 0)
        room = ~first_of_src_tile | (under_way != BUFFERED_TILES)
        take = Signal()
        last_of_src_tile = take & word.payload.last & (tile == job.tiles - 1)
        m.d.comb += [
            unpacker.words.eq(job.chunks),
            word.ready.eq(loader.tile.valid & room),
            take.eq(word.valid & word.ready),
            self.busy.eq(take),
            loader.tile.ready.eq(last_of_src_tile),
            loader.rows.index.eq(word.payload.index),
            self.weight.index.eq(word.payload.index),
        ]
        with m.If(take & word.payload.last):
            m.d.sync += tile.eq(Mux(tile == job.tiles - 1, 0, tile + 1))
        m.d.sync += under_way.eq(under_way + (take & first_of_src_tile) - writer.taken)

        # On cycle 1 the buffers answer.
        chunk = dau.chunk.payload
        m.d.sync += [
            dau.chunk.valid.eq(take),
            chunk.dst.eq(word.payload.data),
            chunk.first.eq(word.payload.first),
            chunk.last.eq(word.payload.last),
        ]
        m.d.comb += [chunk.src.eq(loader.rows.entry), chunk.weight.eq(self.weight.entry)]

    def _count_tiles(self, m: Module, dau: Dau, min_tree: MinTree) -> None:
        """Tell the min tree which slots each tile of distances belongs to."""
        config, job = self._config, self.job
        tile = Signal.like(job.tiles)
        base = tile << exact_log2(config.dst_lanes)
        last = tile == job.tiles - 1
        input_tile = min_tree.tile.payload
        m.d.comb += [
            min_tree.tile.valid.eq(dau.tile.valid),
            input_tile.distances.eq(dau.tile.payload),
            input_tile.base.eq(base),
            input_tile.valid_dst.eq(Cat((base | p) < job.num_dst for p in range(config.dst_lanes))),
            input_tile.first.eq(tile == 0),
            input_tile.last.eq(last),
        ]
        with m.If(dau.tile.valid):
            m.d.sync += tile.eq(Mux(last, 0, tile + 1))
