"""Row permuter: puts the levels of a row into position order, L a cycle."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.credit_queue import CreditQueue
from hw.blocks.pipeline import delay
from hw.config import EngineConfig
from hw.quantize.quantizer import level_word


def place(config: EngineConfig) -> data.StructLayout:
    """Which ``channel`` stands at a ``position`` of a row."""
    return data.StructLayout({"position": config.channel_bits, "channel": config.channel_bits})


class RowPermuter(wiring.Component):
    """Reorders each row by a table: position p of a row gets the level of channel ``order[p]``.

    A row is written whole to one half of a buffer while the row before is read from the other
    half. The buffer is there once for each lane, so that L levels from anywhere in the row can be
    read at once; each copy is L levels wide and its word is cut down to the level wanted.

    Ports:
        ``words`` In: words of a row, constant while rows come.
        ``place`` In, always-ready stream of `place`: an entry of the table, written while no row is
        inside.
        ``i`` In stream of `level_word`: the rows in channel order.
        ``o`` Out stream of `level_word`: the rows in position order.

    A row's first word is offered `latency` cycles after its last one came, if the row before is
    through. A word a cycle, and at most a cycle more for each row (`row_cycles`): a half is written
    again only after its last word has left the RAM.
    """

    _read = 3
    latency = _read + 3

    def __init__(self, config: EngineConfig):
        self._config = config
        self._max_words = config.max_channels // config.quantize_lanes
        levels = level_word(config)
        super().__init__(
            {
                "words": In(range(self._max_words + 1)),
                "place": In(stream.Signature(place(config), always_ready=True)),
                "i": In(stream.Signature(levels)),
                "o": Out(stream.Signature(levels)),
            }
        )

    @staticmethod
    def row_cycles(words: int) -> int:
        """The most cycles a row takes, sustained."""
        return words + 1

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        lanes, lane_bits = config.quantize_lanes, exact_log2(config.quantize_lanes)

        m.submodules.queue = queue = CreditQueue(
            level_word(config), CreditQueue.depth_for(self._read)
        )
        wiring.connect(m, queue.o, wiring.flipped(self.o))

        channels = data.ArrayLayout(config.channel_bits, lanes)
        m.submodules.order = order = Memory(shape=channels, depth=self._max_words, init=[])
        order_write, order_read = order.write_port(granularity=1), order.read_port()
        entry = self.place.payload
        m.d.comb += [
            order_write.addr.eq(entry.position[lane_bits:]),
            order_write.en.eq(self.place.valid << entry.position[:lane_bits]),
            *(order_write.data[i].eq(entry.channel) for i in range(lanes)),
        ]

        take = self.i.valid & self.i.ready
        written = _RowCounter(m, self.words, take, "written")
        read = _RowCounter(m, self.words, queue.take, "read")
        full_halves = Signal(range(3))
        just_read = delay(m, read.ends, 1, "just_read")
        m.d.sync += full_halves.eq(full_halves + written.ends - read.ends)
        m.d.comb += [
            self.i.ready.eq(full_halves + just_read < 2),
            queue.take.eq((full_halves != 0) & queue.room),
            order_read.addr.eq(read.word),
        ]

        # The order is known on cycle 1, the buffer's words on cycle 2, the levels on cycle 3.
        half = delay(m, read.half, 1, "half")
        for i in range(lanes):
            copy = Memory(shape=level_word(config), depth=2 * self._max_words, init=[])
            m.submodules[f"copy_{i}"] = copy
            write_port, read_port = copy.write_port(), copy.read_port()
            channel = order_read.data[i]
            lane = delay(m, channel[:lane_bits], 1, f"lane_{i}")
            level = read_port.data.as_value().word_select(lane, len(self.o.payload[i]))
            m.d.comb += [
                write_port.addr.eq(Cat(written.half, written.word)),
                write_port.data.eq(self.i.payload),
                write_port.en.eq(take),
                read_port.addr.eq(Cat(half, channel[lane_bits:])),
                queue.i.payload[i].eq(delay(m, level, 1, f"level_{i}")),
            ]
        m.d.comb += queue.i.valid.eq(delay(m, queue.take, self._read, "valid"))
        return m


class _RowCounter:
    """Counts the words of a row at each ``event``, and flips ``half`` after the last."""

    def __init__(self, m: Module, words: Signal, event: Value, name: str):
        self.word = Signal.like(words, name=f"{name}_word")
        self.half = Signal(name=f"{name}_half")
        self.ends = Signal(name=f"{name}_ends")
        m.d.comb += self.ends.eq(event & (self.word == words - 1))
        with m.If(event):
            m.d.sync += self.word.eq(Mux(self.ends, 0, self.word + 1))
        m.d.sync += self.half.eq(self.half ^ self.ends)
