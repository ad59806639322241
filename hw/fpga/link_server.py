"""Link server: does what a host's request asks for, and replies."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.lookup import Lookup
from hw.bus.axi import LITE_ADDRESS_BITS, Axi4Lite, Response
from hw.fpga.axi_memory import BytePort
from hw.fpga.frame_sender import FrameByte
from hw.fpga.protocol import (
    DATA_OFFSET,
    LONGEST_FRAME,
    MAX_DATA,
    VERSION,
    Operation,
    Status,
)

_HEADER_BYTES = 10
"""Tag, operation, address (4), value or count (4): what is fetched of every request."""
_LENGTHS = {
    Operation.IDENTIFY: 2,
    Operation.RESET: 2,
    Operation.READ_REGISTER: 6,
    Operation.WRITE_REGISTER: 10,
    Operation.READ_MEMORY: 8,
}
"""Bytes of a request; WRITE_MEMORY has `DATA_OFFSET` and 1 to `MAX_DATA` more."""
_IDENTITY_BYTES = 7
_REGISTER_BYTES = 4


class LinkServer(wiring.Component):
    """Serves one request at a time: registers over AXI4-Lite, memory byte by byte, a reset.

    Ports: ``held``, ``length``, ``content``, ``release`` as `FrameReceiver` has them, seen from the
    other side: the request; ``reply`` Out stream of `FrameByte`; ``control`` Out `Axi4Lite`;
    ``memory`` Out `BytePort` of a memory of ``memory_bytes``; ``reset`` Out: 1 for a cycle, to
    reset what the link serves.

    docs/fpga.md has the requests and replies. Nothing is done of a request that has an error. A
    byte of memory takes 2 cycles to write, and 3 to read; the request is released after the last
    byte of its reply was taken.
    """

    def __init__(self, memory_bytes: int):
        self._memory_bytes = memory_bytes
        super().__init__(
            {
                "held": In(1),
                "length": In(range(LONGEST_FRAME + 1)),
                "content": Out(Lookup(range(LONGEST_FRAME), 8)),
                "release": Out(1),
                "reply": Out(stream.Signature(FrameByte)),
                "control": Out(Axi4Lite()),
                "memory": Out(BytePort()),
                "reset": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        memory, control = self.memory, self.control
        header = Signal(8 * _HEADER_BYTES)
        operation, address, value = header[8:16], header[16:48], header[48:]
        self._tag, self._count = header[:8], value[:16]
        self._status = Signal(8)
        self._result = Signal(8 * _IDENTITY_BYTES)  # Data of the reply, its next byte lowest.
        self._left = Signal(range(MAX_DATA + 1))  # Bytes of data to reply.
        self._at = Signal.like(memory.address)  # The next byte of memory.
        self._from_memory = Signal()  # The reply's data comes from there.
        place = Signal(range(LONGEST_FRAME + 1))  # Of the byte of the request that is looked up.
        fault = self._fault(m, operation, address)
        m.d.comb += [
            self.content.index.eq(place),
            memory.address.eq(self._at),
            control.awaddr.eq(address),
            control.araddr.eq(address),
            control.wdata.eq(value),
            control.wstrb.eq(~0),
            control.bready.eq(1),
            control.rready.eq(1),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [self._left.eq(0), self._from_memory.eq(0), place.eq(self.held)]
                with m.If(self.held):
                    m.next = "FETCH"
            with m.State("FETCH"):
                m.d.sync += [header.eq(Cat(header[8:], self.content.entry)), place.eq(place + 1)]
                with m.If(place == _HEADER_BYTES):
                    m.next = "DECODE"
            with m.State("DECODE"):
                m.d.sync += [
                    self._status.eq(fault), self._at.eq(address), place.eq(DATA_OFFSET),
                ]  # fmt: skip
                m.next = "TAG"
                with m.If(fault == Status.OK), m.Switch(operation):
                    with m.Case(Operation.IDENTIFY):
                        identity = Cat(
                            Const(VERSION, 8), Const(MAX_DATA, 16), Const(self._memory_bytes, 32)
                        )
                        m.d.sync += [self._result.eq(identity), self._left.eq(_IDENTITY_BYTES)]
                    with m.Case(Operation.RESET):
                        m.d.comb += self.reset.eq(1)
                    with m.Case(Operation.READ_REGISTER):
                        m.d.sync += control.arvalid.eq(1)
                        m.next = "READ"
                    with m.Case(Operation.WRITE_REGISTER):
                        m.d.sync += [control.awvalid.eq(1), control.wvalid.eq(1)]
                        m.next = "WRITE"
                    with m.Case(Operation.READ_MEMORY):
                        m.d.sync += [self._left.eq(self._count), self._from_memory.eq(1)]
                    with m.Case(Operation.WRITE_MEMORY):
                        m.next = "SEEK"
            with m.State("SEEK"):
                m.next = "STORE"
            with m.State("STORE"):
                m.d.comb += [
                    memory.enable.eq(1),
                    memory.write.eq(1),
                    memory.data.eq(self.content.entry),
                ]
                m.d.sync += [self._at.eq(self._at + 1), place.eq(place + 1)]
                m.next = "SEEK"
                with m.If(place + 1 == self.length):
                    m.next = "TAG"
            with m.State("READ"):
                with m.If(control.arready):
                    m.d.sync += control.arvalid.eq(0)
                with m.If(control.rvalid):
                    m.d.sync += [
                        self._result.eq(control.rdata),
                        self._left.eq(Mux(control.rresp == Response.OKAY, _REGISTER_BYTES, 0)),
                    ]
                    self._heed(m, control.rresp)
            with m.State("WRITE"):
                with m.If(control.awready):
                    m.d.sync += control.awvalid.eq(0)
                with m.If(control.wready):
                    m.d.sync += control.wvalid.eq(0)
                with m.If(control.bvalid):
                    self._heed(m, control.bresp)
            self._reply(m)
        return m

    def _fault(self, m: Module, operation: Value, address: Value) -> Signal:
        """What is wrong with the request, once its header is here."""
        fault = Signal(8, init=Status.OK)
        length, count = self.length, self._count
        stored = Signal.like(length)
        m.d.comb += stored.eq(length - DATA_OFFSET)
        with m.Switch(operation):
            for each, wanted in _LENGTHS.items():
                with m.Case(each):
                    with m.If(length != wanted):
                        m.d.comb += fault.eq(Status.BAD_LENGTH)
                    if each in (Operation.READ_REGISTER, Operation.WRITE_REGISTER):
                        with m.Elif(address[LITE_ADDRESS_BITS:].any()):
                            m.d.comb += fault.eq(Status.NO_REGISTER)
                    if each == Operation.READ_MEMORY:
                        with m.Elif((count == 0) | (count > MAX_DATA)):
                            m.d.comb += fault.eq(Status.BAD_LENGTH)
                        with m.Elif(address + count > self._memory_bytes):
                            m.d.comb += fault.eq(Status.BAD_ADDRESS)
            with m.Case(Operation.WRITE_MEMORY):
                with m.If(length <= DATA_OFFSET):
                    m.d.comb += fault.eq(Status.BAD_LENGTH)
                with m.Elif(address + stored > self._memory_bytes):
                    m.d.comb += fault.eq(Status.BAD_ADDRESS)
            with m.Default():
                m.d.comb += fault.eq(Status.BAD_OPERATION)
        return fault

    def _heed(self, m: Module, response: Value) -> None:
        """Go on with what a register's access was answered with."""
        with m.If(response != Response.OKAY):
            failed = Mux(response == Response.SLVERR, Status.REFUSED, Status.NO_REGISTER)
            m.d.sync += self._status.eq(failed)
        m.next = "TAG"

    def _reply(self, m: Module) -> None:
        """The states in which the reply goes out, from TAG on, until IDLE."""
        memory, reply, left = self.memory, self.reply, self._left
        with m.State("TAG"):
            m.d.comb += [reply.valid.eq(1), reply.payload.value.eq(self._tag)]
            with m.If(reply.ready):
                m.next = "STATUS"
        with m.State("STATUS"):
            m.d.comb += [
                reply.valid.eq(1),
                reply.payload.value.eq(self._status),
                reply.payload.last.eq(left == 0),
            ]
            with m.If(reply.ready):
                m.next = "DATA"
                with m.If(left == 0):
                    m.next = "RELEASE"
                with m.Elif(self._from_memory):
                    m.next = "LOAD"
        with m.State("LOAD"):
            m.d.comb += memory.enable.eq(1)
            m.d.sync += self._at.eq(self._at + 1)
            m.next = "LATCH"
        with m.State("LATCH"):
            m.d.sync += self._result[:8].eq(memory.entry)
            m.next = "DATA"
        with m.State("DATA"):
            m.d.comb += [
                reply.valid.eq(1),
                reply.payload.value.eq(self._result[:8]),
                reply.payload.last.eq(left == 1),
            ]
            with m.If(reply.ready):
                m.d.sync += [self._result.eq(self._result[8:]), left.eq(left - 1)]
                with m.If(left == 1):
                    m.next = "RELEASE"
                with m.Elif(self._from_memory):
                    m.next = "LOAD"
        with m.State("RELEASE"):
            m.d.comb += self.release.eq(1)
            m.next = "RELEASED"
        with m.State("RELEASED"):  # ``held`` falls in this cycle, not before.
            m.next = "IDLE"
