"""Row scalars: what a vector unit keeps of each row, some registers of a float32 a row."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.dxe.floats import FP32

READERS = 2


class RowScalars(wiring.Component):
    """Registers of a float32 a row, the rows of as many lanes a word.

    Two readers ask for a row of a register each; on cycle `latency` they have its word and its
    scalar, until they ask again. A write takes those lanes' values whose bit in ``mask`` is 1. What
    is read in the cycle in which it is written is what was there before.

    Ports: ``reads`` In, of each reader: ``read``, ``register``, ``row`` In, ``word``, ``scalar``
    Out; ``write``, ``register``, ``row``, ``mask``, ``values`` In.

    Args:
        lanes: rows of a word, a power of two from 2.
        rows: of a register, a multiple of the lanes.
        registers: how many.
    """

    latency = 1

    def __init__(self, lanes: int, rows: int, registers: int):
        self._lanes, self._words = lanes, rows // lanes * registers
        self._words_each = rows // lanes
        place = {"register": In(range(registers)), "row": In(range(rows))}
        word = data.ArrayLayout(FP32.bits, lanes)
        reader = wiring.Signature(
            {
                "read": Out(1),
                **{name: member.flip() for name, member in place.items()},
                "word": In(word),
                "scalar": In(FP32.bits),
            }
        )
        super().__init__(
            {
                "reads": In(reader).array(READERS),
                "write": In(1),
                **place,
                "mask": In(lanes),
                "values": In(word),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        lane_bits = exact_log2(self._lanes)
        width = self._lanes * FP32.bits
        for number, reader in enumerate(self.reads):
            # A copy for each reader: a memory has one read port.
            memory = Memory(shape=width, depth=self._words, init=[])
            m.submodules[f"copy_{number}"] = memory
            read, write = memory.read_port(), memory.write_port(granularity=FP32.bits)
            lane = Signal(lane_bits, name=f"lane_{number}")
            with m.If(reader.read):
                m.d.sync += lane.eq(reader.row)
            m.d.comb += [
                read.en.eq(reader.read),
                read.addr.eq(reader.register * self._words_each + (reader.row >> lane_bits)),
                reader.word.eq(read.data),
                reader.scalar.eq(reader.word[lane]),
                write.en.eq(self.mask & self.write.replicate(self._lanes)),
                write.addr.eq(self.register * self._words_each + (self.row >> lane_bits)),
                write.data.eq(self.values),
            ]
        return m
