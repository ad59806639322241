"""The board's design: an engine, its memory on chip, and the link to a host."""

from amaranth.hdl import Module, ResetInserter
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.config import EngineConfig
from hw.engine import DatmEngine
from hw.fpga.axi_memory import AxiMemory
from hw.fpga.frame_receiver import FrameReceiver
from hw.fpga.frame_sender import FrameSender
from hw.fpga.link_server import LinkServer
from hw.fpga.uart_rx import UartReceiver
from hw.fpga.uart_tx import UartTransmitter
from hw.regions import job_bytes, largest_job


class BoardTop(wiring.Component):
    """An engine that a host drives over a UART, as docs/fpga.md says.

    Its memory holds the largest job of the config, its regions one behind the other.

    Ports: ``rx`` In and ``tx`` Out: the serial line, 1 while idle, a bit of ``divisor`` cycles.
    The request RESET resets the engine and the bus of its memory, whose content stays.
    """

    def __init__(self, config: EngineConfig, divisor: int):
        self._config = config
        self._divisor = divisor
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        memory_bytes = job_bytes(largest_job(config))
        m.submodules.uart_rx = uart_rx = UartReceiver(self._divisor)
        m.submodules.uart_tx = uart_tx = UartTransmitter(self._divisor)
        m.submodules.receiver = receiver = FrameReceiver()
        m.submodules.sender = sender = FrameSender()
        m.submodules.server = server = LinkServer(memory_bytes)
        engine = DatmEngine(config)
        memory = AxiMemory(config, memory_bytes // config.bus_bytes)
        m.submodules.engine = ResetInserter(server.reset)(engine)
        m.submodules.memory = ResetInserter(server.reset)(memory)

        m.d.comb += [uart_rx.rx.eq(self.rx), self.tx.eq(uart_tx.tx)]
        wiring.connect(m, uart_rx.byte, receiver.byte)
        wiring.connect(m, receiver.content, server.content)
        m.d.comb += [
            server.held.eq(receiver.held),
            server.length.eq(receiver.length),
            receiver.release.eq(server.release),
        ]
        wiring.connect(m, server.reply, sender.item)
        wiring.connect(m, sender.byte, uart_tx.byte)
        wiring.connect(m, server.control, engine.control)
        wiring.connect(m, server.memory, memory.host)
        wiring.connect(m, engine.axi, memory.axi)
        return m
