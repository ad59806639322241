"""A small design with the engine's ports, to test the simulator on: it XORs two memory regions."""

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.bus.axi import Axi4, Axi4Lite, connect_master
from hw.bus.axi_reader import AxiReader
from hw.bus.axi_writer import AxiWriter
from hw.config import EngineConfig

LEFT, RIGHT, RESULT, BEATS, CLEAR, ERROR = range(0, 24, 4)
"""Register offsets. Writing BEATS starts a run, writing CLEAR drops the interrupt; ERROR reads 1
after a bus error. Registers beyond are answered SLVERR."""

_SLVERR = 2


class XorEngine(wiring.Component):
    """Writes LEFT xor RIGHT to RESULT, beat by beat, then raises the interrupt."""

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__({"axi": Out(Axi4(config)), "control": In(Axi4Lite()), "irq": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Join reader, writer and registers."""
        m = Module()
        m.submodules.reader = reader = AxiReader(self._config)
        m.submodules.writer = writer = AxiWriter(self._config)
        connect_master(m, self.axi, reader.axi, writer.axi)
        registers = [Signal(32, name=f"register_{index}") for index in range(6)]
        start, clear = Signal(), Signal()
        self._control(m, registers, start, clear)

        running, sent = Signal(), Signal()
        clients = (reader.a, reader.b, writer.client)
        for client, address in zip(clients, registers, strict=False):
            m.d.comb += [
                client.request.payload.address.eq(address),
                client.request.payload.beats.eq(registers[BEATS // 4]),
            ]
            pending = Signal(name=f"pending_{address.name}")
            m.d.comb += client.request.valid.eq(pending)
            with m.If(start):
                m.d.sync += pending.eq(1)
            with m.Elif(client.request.ready):
                m.d.sync += pending.eq(0)
        left, right, result = reader.a.beat, reader.b.beat, writer.client.beat
        m.d.comb += [
            result.payload.data.eq(left.payload ^ right.payload),
            result.payload.strobe.eq(~0),
            result.valid.eq(left.valid & right.valid),
            left.ready.eq(result.ready & right.valid),
            right.ready.eq(result.ready & left.valid),
            registers[ERROR // 4].eq(reader.error | writer.error),
        ]
        count = Signal(16)
        with m.If(start):
            m.d.sync += [running.eq(1), count.eq(0)]
        with m.Elif(result.valid & result.ready):
            m.d.sync += count.eq(count + 1)
        m.d.comb += sent.eq(count == registers[BEATS // 4])
        with m.If(running & sent & writer.client.idle):
            m.d.sync += [running.eq(0), self.irq.eq(1)]
        with m.If(clear):
            m.d.sync += self.irq.eq(0)
        return m

    def _control(self, m: Module, registers: list[Signal], start: Signal, clear: Signal) -> None:
        """The registers: one access at a time, address and data of a write together."""
        bus = self.control
        write, read = Signal(), Signal()
        m.d.comb += [
            write.eq(bus.awvalid & bus.wvalid & ~bus.bvalid),
            read.eq(bus.arvalid & ~bus.rvalid),
            bus.awready.eq(write),
            bus.wready.eq(write),
            bus.arready.eq(read),
        ]
        with m.If(write):
            m.d.sync += [bus.bvalid.eq(1), bus.bresp.eq(0)]
            with m.Switch(bus.awaddr):
                for offset in (LEFT, RIGHT, RESULT, BEATS):
                    with m.Case(offset):
                        m.d.sync += registers[offset // 4].eq(bus.wdata)
                with m.Case(CLEAR):
                    m.d.comb += clear.eq(1)
                with m.Default():
                    m.d.sync += bus.bresp.eq(_SLVERR)
        with m.Elif(bus.bready):
            m.d.sync += bus.bvalid.eq(0)
        m.d.sync += start.eq(write & (bus.awaddr == BEATS))
        with m.If(read):
            m.d.sync += [
                bus.rvalid.eq(1),
                bus.rdata.eq(Array(registers)[bus.araddr[2:5]]),
                bus.rresp.eq(0),
            ]
            with m.If(bus.araddr > ERROR):
                m.d.sync += bus.rresp.eq(_SLVERR)
        with m.Elif(bus.rready):
            m.d.sync += bus.rvalid.eq(0)
