"""Row banks: a memory of rows, an element a bank, whose banks are asked one after another."""

from amaranth.hdl import Cat, Module, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.blocks.pipeline import delay


class RowBanks(wiring.Component):
    """Rows that a systolic array takes and gives slanted, and others take and give straight.

    Of a row that is asked for on cycle 0, bank b gives its element on cycle `latency` + b times
    ``read_skew``; of a row that is written on cycle 0, bank b takes its element on cycle b times
    ``write_skew``. What is asked of a bank in the cycle in which it is written is what it held
    before. An element stays where it is given until another is asked for.

    Ports: ``read`` In, whether a row is asked for, at ``read_address`` In; ``elements`` Out, of
    each bank; ``write`` In, whether a row is written, at ``write_address`` In, with ``values`` In,
    of each bank. A row both ways in every cycle.

    Args:
        banks: elements of a row.
        rows: that it holds, from 2.
        bits: of an element.
        read_skew: cycles from a bank to the next, for rows that are read.
        write_skew: the same, for rows that are written.
    """

    latency = 1

    def __init__(self, banks: int, rows: int, bits: int, *, read_skew: int, write_skew: int):
        self._rows = rows
        self._bits = bits
        self._read_skew = read_skew
        self._write_skew = write_skew
        address_bits = (rows - 1).bit_length()
        super().__init__(
            {
                "read": In(1),
                "read_address": In(address_bits),
                "elements": Out(bits).array(banks),
                "write": In(1),
                "write_address": In(address_bits),
                "values": In(bits).array(banks),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        asked: Value = Cat(self.read, self.read_address)
        written: Value = Cat(self.write, self.write_address)
        for bank, (element, value) in enumerate(zip(self.elements, self.values, strict=True)):
            if bank:
                asked = delay(m, asked, self._read_skew, f"asked_{bank}")
                written = delay(m, written, self._write_skew, f"written_{bank}")
            memory = Memory(shape=self._bits, depth=self._rows, init=[])
            m.submodules[f"bank_{bank}"] = memory
            read, write = memory.read_port(), memory.write_port()
            m.d.comb += [
                Cat(read.en, read.addr).eq(asked),
                element.eq(read.data),
                Cat(write.en, write.addr).eq(written),
                write.data.eq(value),
            ]
        return m
