"""Dst loader: brings the dst of a list on chip, tile by tile, ahead of who compares them."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.stream_queue import StreamQueue
from hw.blocks.unpacker import Unpacker
from hw.bus.client import ReadClient
from hw.bus.row_fetch import RowFetch
from hw.config import DST_WORD_BITS, EngineConfig
from hw.job import Job
from hw.pair.dst_rows import dst_part, dst_skew, ring_words
from hw.words import dst_word as listed_dst

MOST_TILES = 8
"""Tiles of short rows that the ring may hold."""


def dst_tile(config: EngineConfig) -> data.StructLayout:
    """A tile: the ``slots`` of its P lanes, the number of lanes in use, and what comes after it.

    ``address`` is that of its first word in the ring; ``last`` of the list.
    """
    return data.StructLayout(
        {
            "slots": data.ArrayLayout(config.slot_bits, config.dst_lanes),
            "lanes": range(config.dst_lanes + 1),
            "address": range(ring_words(config)),
            "last": 1,
        }
    )


class DstLoader(wiring.Component):
    """Reads a list of `hw.words.dst_word`, fetches each token's row, and offers tiles of P of them.

    Ports:
        ``job`` In; ``address`` In, of the list; ``length`` In, its words, at least 1; constant from
        ``begin`` on. ``begin`` In pulse: another list, or another length of rows, comes; not before
        every tile is freed.
        ``start`` In pulse: fetch the list once more; at the earliest `begin_latency` cycles after
        ``begin``, and after the last tile of the run before was offered.
        ``tile`` Out stream of `dst_tile`: its rows are in the ring; they stay until ``free`` In
        pulse, one for each tile in their order.
        ``part`` Out, always-ready stream of `dst_part`.
        ``read_list``, ``read_rows`` Out `ReadClient`: every beat asked for is taken as it comes.

    Rows are requested as soon as the ring has room for their tile: it holds as many tiles as fit
    `ring_words`, at least 2 and at most `MOST_TILES`. A row takes ceil(chunks / W) cycles
    (`dst_skew`).
    """

    begin_latency = MOST_TILES + 2

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "job": In(Job(config)),
                "address": In(config.address_bits),
                "length": In(config.count_bits),
                "begin": In(1),
                "start": In(1),
                "free": In(1),
                "tile": Out(stream.Signature(dst_tile(config))),
                "part": Out(stream.Signature(dst_part(config), always_ready=True)),
                "read_list": Out(ReadClient(config)),
                "read_rows": Out(ReadClient(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        room = self._ring(m)
        listed = self._list(m)
        complete = self._land(m)
        self._tiles(m, listed, room, complete)
        return m

    def _ring(self, m: Module) -> Signal:
        """Count the tiles that the ring has room for; the signal is lowered by ``_tiles``."""
        used = Signal(range(ring_words(self._config) + 1))
        self._room = room = Signal(range(MOST_TILES + 1))
        counting = Signal(range(MOST_TILES + 1))
        fits = used + self._stride <= ring_words(self._config)
        with m.If(self.begin):
            m.d.sync += [used.eq(0), room.eq(0), counting.eq(MOST_TILES)]
        with m.Elif(counting != 0):
            m.d.sync += [
                counting.eq(counting - 1), used.eq(used + self._stride), room.eq(room + fits),
            ]  # fmt: skip
            with m.If(~fits):
                m.d.sync += counting.eq(0)
        return room

    @property
    def _stride(self) -> Value:
        """Words from tile to tile: a row's chunks, in whole parts."""
        width = dst_skew(self._config).width
        return (self.job.chunks + width - 1) & ~(width - 1)

    def _after(self, address: Value) -> Value:
        """The ring's next tile: behind this one, or at 0 where that would not fit."""
        stride = self._stride
        fits = address + 2 * stride <= ring_words(self._config)
        return Mux(fits, address + stride, 0)

    def _list(self, m: Module) -> stream.Interface:
        """Read the list a beat at a time, as far ahead as the queue of its words has room."""
        config = self._config
        per_beat = config.bus_bits // DST_WORD_BITS
        depth = 2 * max(per_beat, config.dst_lanes)
        m.submodules.list_unpacker = unpacker = Unpacker(
            config.bus_bits, DST_WORD_BITS, config.max_dst
        )
        word = data.StructLayout({"token": config.token_bits, "slot": config.slot_bits})
        m.submodules.listed = listed = StreamQueue(word, depth)
        wiring.connect(m, wiring.flipped(self.read_list.beat), unpacker.beat)
        request = self.read_list.request
        left = Signal.like(self.length)
        address = Signal.like(self.address)
        places = Signal(range(depth + 1), init=depth)
        step = Mux(left < per_beat, left, per_beat)
        asked = request.valid & request.ready
        taken = listed.o.valid & listed.o.ready
        seen = data.View(listed_dst(), unpacker.word.payload.data)
        m.d.comb += [
            unpacker.words.eq(self.length),
            listed.i.valid.eq(unpacker.word.valid),
            unpacker.word.ready.eq(listed.i.ready),
            listed.i.payload.token.eq(seen.token),
            listed.i.payload.slot.eq(seen.slot),
            request.valid.eq((left != 0) & (places >= per_beat)),
            request.payload.address.eq(address),
            request.payload.beats.eq(1),
        ]
        m.d.sync += places.eq(places - Mux(asked, step, 0) + taken)
        with m.If(self.start):
            m.d.sync += [left.eq(self.length), address.eq(self.address)]
        with m.Elif(asked):
            m.d.sync += [left.eq(left - step), address.eq(address + config.bus_bytes)]
        return listed.o

    def _tiles(self, m: Module, listed: stream.Interface, room: Signal, complete: Signal) -> None:
        """Ask for the rows of the list; tell the slots of each tile that has landed."""
        config = self._config
        m.submodules.fetch = fetch = RowFetch(config)
        wiring.connect(m, fetch.request, wiring.flipped(self.read_rows.request))
        formed = data.StructLayout(
            {
                "slots": data.ArrayLayout(config.slot_bits, config.dst_lanes),
                "lanes": range(config.dst_lanes + 1),
                "last": 1,
            }
        )
        m.submodules.formed = queue = StreamQueue(formed, MOST_TILES)
        lane = Signal(range(max(2, config.dst_lanes)))
        left = Signal.like(self.length)
        slots = Signal(data.ArrayLayout(config.slot_bits, config.dst_lanes))
        last = left == 1
        ends = last | (lane == config.dst_lanes - 1)
        take = listed.valid & listed.ready
        begins = take & (lane == 0)
        m.d.comb += [
            fetch.address.eq(self.job.quantized_address),
            fetch.row_beats.eq(self.job.row_beats),
            fetch.token.payload.eq(listed.payload.token),
            fetch.token.valid.eq(listed.valid & ((lane != 0) | (room != 0))),
            listed.ready.eq(fetch.token.ready & ((lane != 0) | (room != 0))),
            queue.i.valid.eq(take & ends),
            queue.i.payload.slots.eq(slots),
            queue.i.payload.slots[lane].eq(listed.payload.slot),
            queue.i.payload.lanes.eq(lane + 1),
            queue.i.payload.last.eq(last),
        ]
        with m.If(self.start):
            m.d.sync += left.eq(self.length)
        with m.Elif(take):
            m.d.sync += [left.eq(left - 1), lane.eq(Mux(ends, 0, lane + 1))]
            m.d.sync += slots[lane].eq(listed.payload.slot)
        with m.If(begins ^ self.free):
            m.d.sync += room.eq(Mux(self.free, room + 1, room - 1))

        # Tiles are offered in the order in which they land.
        waiting = Signal(range(MOST_TILES + 1))
        address = Signal.like(self.tile.payload.address)
        tile = self.tile.payload
        offered = self.tile.valid & self.tile.ready
        m.d.comb += [
            self.tile.valid.eq((waiting != 0) & queue.o.valid),
            queue.o.ready.eq((waiting != 0) & self.tile.ready),
            tile.slots.eq(queue.o.payload.slots),
            tile.lanes.eq(queue.o.payload.lanes),
            tile.last.eq(queue.o.payload.last),
            tile.address.eq(address),
        ]
        m.d.sync += waiting.eq(waiting + complete - offered)
        with m.If(self.begin):
            m.d.sync += address.eq(0)
        with m.Elif(offered):
            m.d.sync += address.eq(self._after(address))

    def _land(self, m: Module) -> Signal:
        """Write the rows as they come; 1 as the last one of a tile does."""
        config = self._config
        width = dst_skew(config).width
        m.submodules.row_unpacker = unpacker = Unpacker(
            config.bus_bits, config.chunk_bits * width, config.max_chunks // width
        )
        wiring.connect(m, wiring.flipped(self.read_rows.beat), unpacker.beat)
        word, part = unpacker.word, self.part.payload
        lane = Signal(range(max(2, config.dst_lanes)))
        left = Signal.like(self.length)
        first = Signal.like(part.address)
        complete = Signal()
        m.d.comb += [
            unpacker.words.eq((self.job.chunks + width - 1) >> exact_log2(width)),
            word.ready.eq(1),
            self.part.valid.eq(word.valid),
            part.address.eq(first + (word.payload.index << exact_log2(width))),
            part.lane.eq(lane),
            part.chunks.eq(word.payload.data),
            complete.eq(
                word.valid & word.payload.last & ((lane == config.dst_lanes - 1) | (left == 1))
            ),
        ]
        with m.If(self.begin):
            m.d.sync += [left.eq(self.length), lane.eq(0), first.eq(0)]
        with m.Elif(word.valid & word.payload.last):
            m.d.sync += [left.eq(Mux(left == 1, self.length, left - 1)), lane.eq(lane + 1)]
            with m.If(complete):
                m.d.sync += [lane.eq(0), first.eq(self._after(first))]
        return complete
