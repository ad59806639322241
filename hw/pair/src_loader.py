"""Src loader: finds the src tokens and keeps tiles of Q of them ready for the DAU."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.lookup import Lookup
from hw.blocks.stream_fork import StreamFork
from hw.blocks.unpacker import Unpacker
from hw.bus.client import ReadClient
from hw.config import EngineConfig
from hw.job import row_address
from hw.words import chunk_word, is_dst_lookup


def rows_lookup(config: EngineConfig) -> Lookup:
    """How a chunk of each src of a tile is asked for."""
    return Lookup(config.chunk_index_bits, data.ArrayLayout(chunk_word(config), config.src_lanes))


class SrcLoader(wiring.Component):
    """Double-buffered tiles of Q src rows, in token order; a short last tile leaves lanes as found.

    Ports:
        ``start`` In pulse; ``num_src`` (tokens that are no dst), ``row_beats``, ``chunks``,
            ``quantized_address`` In.
        ``is_dst`` Out `is_dst_lookup`.
        ``read`` Out `ReadClient` of the quantised rows.
        ``src`` Out stream: the token of each requested row, in order. It bounds how far rows are
            requested ahead: a row is requested when its token is taken here.
        ``tile`` Out stream without payload: a tile is buffered; taking it frees its buffer.
        ``rows`` In `Lookup`: a chunk of each src of the offered tile.

    A token is examined every 2 cycles, and a chunk is buffered every cycle, while the tile before
    is in use.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "start": In(1),
                "num_src": In(config.count_bits),
                "row_beats": In(range(config.max_row_beats + 1)),
                "chunks": In(range(config.max_chunks + 1)),
                "quantized_address": In(config.address_bits),
                "is_dst": Out(is_dst_lookup(config)),
                "read": Out(ReadClient(config)),
                "src": Out(stream.Signature(config.token_bits)),
                "tile": Out(stream.Signature(0)),
                "rows": In(rows_lookup(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        self._scan(m)
        self._load(m)
        return m

    def _scan(self, m: Module) -> None:
        """Ask for the row of each token that is no dst, up to the last of them."""
        config = self._config
        token = Signal(config.token_bits)
        left = Signal(config.count_bits)
        # A src's row is requested, and its token announced, in whichever order.
        m.submodules.src_fork = fork = StreamFork(config.token_bits, 2)
        row_wanted, announced = fork.o
        wiring.connect(m, announced, wiring.flipped(self.src))
        request, is_dst = self.read.request, self.is_dst.entry
        m.d.comb += [
            self.is_dst.index.eq(token),
            fork.i.payload.eq(token),
            request.valid.eq(row_wanted.valid),
            row_wanted.ready.eq(request.ready),
            request.payload.address.eq(
                row_address(config, self.quantized_address, self.row_beats, row_wanted.payload)
            ),
            request.payload.beats.eq(self.row_beats),
        ]
        with m.FSM(name="scan"):
            with m.State("IDLE"):
                m.d.sync += [token.eq(0), left.eq(self.num_src)]
                with m.If(self.start):
                    m.next = "LOOK"
            with m.State("LOOK"):
                m.next = "DECIDE"
            with m.State("DECIDE"):
                m.d.comb += fork.i.valid.eq(~is_dst)
                with m.If(is_dst | fork.i.ready):
                    m.d.sync += token.eq(token + 1)
                    m.next = "LOOK"
                    with m.If(~is_dst):
                        m.d.sync += left.eq(left - 1)
                        with m.If(left == 1):
                            m.next = "IDLE"

    def _load(self, m: Module) -> None:
        """Write rows into the buffer that is free, offer it when its tile is complete."""
        config = self._config
        m.submodules.unpacker = unpacker = Unpacker(
            config.bus_bits, config.chunk_bits, config.max_chunks
        )
        wiring.connect(m, wiring.flipped(self.read.beat), unpacker.beat)
        word = unpacker.word

        full = Signal(2)
        filling = Signal()
        using = Signal()
        lane = Signal(max(1, exact_log2(config.src_lanes)))
        loaded = Signal(config.count_bits)
        m.d.comb += [
            unpacker.words.eq(self.chunks),
            word.ready.eq(~full.bit_select(filling, 1)),
            self.tile.valid.eq(full.bit_select(using, 1)),
        ]
        for q in range(config.src_lanes):
            bank = Memory(shape=chunk_word(config), depth=2 * config.max_chunks, init=[])
            m.submodules[f"bank_{q}"] = bank
            write, read = bank.write_port(), bank.read_port()
            m.d.comb += [
                # Chunk first, then half: any max_chunks gives a dense address.
                write.addr.eq(Cat(filling, word.payload.index)),
                write.data.eq(word.payload.data),
                write.en.eq(word.valid & word.ready & (lane == q)),
                read.addr.eq(Cat(using, self.rows.index)),
                self.rows.entry[q].eq(read.data),
            ]

        row_done = word.valid & word.ready & word.payload.last
        tile_done = (lane == config.src_lanes - 1) | (loaded == self.num_src - 1)
        fill = Signal(2)
        free = Signal(2)
        with m.If(row_done):
            m.d.sync += [lane.eq(lane + 1), loaded.eq(loaded + 1)]
            with m.If(tile_done):
                m.d.comb += fill.eq(1 << filling)
                m.d.sync += [lane.eq(0), filling.eq(~filling)]
        with m.If(self.tile.valid & self.tile.ready):
            m.d.comb += free.eq(1 << using)
            m.d.sync += using.eq(~using)
        m.d.sync += full.eq((full | fill) & ~free)
        with m.If(self.start):
            m.d.sync += loaded.eq(0)
