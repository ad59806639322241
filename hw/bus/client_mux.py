"""Client muxes: stages that take turns at a memory port."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.bus.ports import ReadClient, WriteClient
from hw.config import EngineConfig


class _ClientMux(wiring.Component):
    """Connects the client that ``select`` names to the port; the others see a port that is busy.

    A client is deselected only when it has taken every beat that it asked for. Combinational.
    """

    def __init__(self, signature: wiring.Signature, clients: int):
        self._clients = clients
        super().__init__(
            {
                "select": In(range(clients)),
                "client": In(signature).array(clients),
                "port": Out(signature),
            }
        )

    def _connect(self, m: Module, index: int) -> None:
        raise NotImplementedError

    def elaborate(self, platform: object) -> Module:
        m = Module()
        with m.Switch(self.select):
            for index in range(self._clients):
                with m.Case(index):
                    self._connect(m, index)
        return m


def _forward(m: Module, source: wiring.PureInterface, sink: wiring.PureInterface) -> None:
    m.d.comb += [
        sink.valid.eq(source.valid),
        sink.payload.eq(source.payload),
        source.ready.eq(sink.ready),
    ]


class ReadMux(_ClientMux):
    """Stages that take turns at a read port. Ports: ``select``, ``client`` [n] In, ``port`` Out."""

    def __init__(self, config: EngineConfig, clients: int):
        super().__init__(ReadClient(config), clients)

    def _connect(self, m: Module, index: int) -> None:
        _forward(m, self.client[index].request, self.port.request)
        _forward(m, self.port.beat, self.client[index].beat)


class WriteMux(_ClientMux):
    """Stages that take turns at the write port. Ports as `ReadMux`."""

    def __init__(self, config: EngineConfig, clients: int):
        super().__init__(WriteClient(config), clients)

    def _connect(self, m: Module, index: int) -> None:
        _forward(m, self.client[index].request, self.port.request)
        _forward(m, self.client[index].beat, self.port.beat)
        m.d.comb += self.client[index].idle.eq(self.port.idle)
