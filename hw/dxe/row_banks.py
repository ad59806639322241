"""Row banks: a memory of rows, an element a bank, whose banks are asked one after another."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.blocks.pipeline import delay


class RowReads(wiring.Signature):
    """Reads of rows, as who asks for them sees them.

    Members: ``read`` Out, whether a row is asked for; ``address`` Out; ``elements`` In, of each
    bank.
    """

    def __init__(self, banks: int, rows: int, bits: int):
        super().__init__(
            {"read": Out(1), "address": Out(_address_bits(rows)), "elements": In(bits).array(banks)}
        )


class RowWrites(wiring.Signature):
    """Writes of rows, as who makes them sees them.

    Members: ``write`` Out, whether a row is written; ``address`` Out; ``values`` Out, of each bank.
    """

    def __init__(self, banks: int, rows: int, bits: int):
        super().__init__(
            {"write": Out(1), "address": Out(_address_bits(rows)), "values": Out(bits).array(banks)}
        )


def _address_bits(rows: int) -> int:
    return (rows - 1).bit_length()


class RowBanks(wiring.Component):
    """Rows that some users take and give slanted, as a systolic array does, and others straight.

    A user has a skew, the cycles from a bank to the next. Of a row that it asks for on cycle 0,
    bank b gives its element on cycle `latency` + b times its skew; of a row that it writes on cycle
    0, bank b takes its element on cycle b times its skew. What is asked of a bank in the cycle in
    which it is written is what it held before. An element stays until another is asked for.

    Ports: ``reads`` In `RowReads`, of each reader; ``writes`` In `RowWrites`, of each writer. A row
    both ways in every cycle: readers have a bank by turns, and so do writers.

    Args:
        banks: elements of a row.
        rows: that it holds, from 2.
        bits: of an element.
        readers: the skew of each.
        writers: likewise.
    """

    latency = 1

    def __init__(
        self, banks: int, rows: int, bits: int, *, readers: Sequence[int], writers: Sequence[int]
    ):
        self._banks, self._rows, self._bits = banks, rows, bits
        self._readers, self._writers = readers, writers
        super().__init__(
            {
                "reads": In(RowReads(banks, rows, bits)).array(len(readers)),
                "writes": In(RowWrites(banks, rows, bits)).array(len(writers)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        asked: list[Value] = [Cat(user.read, user.address) for user in self.reads]
        written: list[Value] = [Cat(user.write, user.address) for user in self.writes]
        for bank in range(self._banks):
            if bank:
                asked = self._later(m, asked, self._readers, f"asked_{bank}")
                written = self._later(m, written, self._writers, f"written_{bank}")
            memory = Memory(shape=self._bits, depth=self._rows, init=[])
            m.submodules[f"bank_{bank}"] = memory
            read, write = memory.read_port(), memory.write_port()
            m.d.comb += [
                Cat(read.en, read.addr).eq(_in_turn(asked, asked)),
                Cat(write.en, write.addr).eq(_in_turn(written, written)),
                write.data.eq(_in_turn(written, [user.values[bank] for user in self.writes])),
                *(user.elements[bank].eq(read.data) for user in self.reads),
            ]
        return m

    def _later(
        self, m: Module, requests: list[Value], skews: Sequence[int], name: str
    ) -> list[Value]:
        """Requests as they reach the next bank."""
        return [
            delay(m, request, skew, f"{name}_by_{user}")
            for user, (request, skew) in enumerate(zip(requests, skews, strict=True))
        ]


def _in_turn(requests: list[Value], values: list[Value]) -> Value:
    """The value of the first user with a request, or of the last user."""
    chosen = values[-1]
    for request, value in zip(reversed(requests[:-1]), reversed(values[:-1]), strict=True):
        chosen = Mux(request[0], value, chosen)
    return chosen
