"""Client mux: stages that take turns at a memory port."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class ClientMux(wiring.Component):
    """Connects the client that ``select`` names to the port; the others see a port that is busy.

    Ports: ``select`` In; ``client`` [n] In and ``port`` Out of ``signature``, a `ReadClient` or a
    `WriteClient`. A client is deselected only when it has taken every beat that it asked for, and
    has nothing left to write. Combinational.
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

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        with m.Switch(self.select):
            for index in range(self._clients):
                with m.Case(index):
                    wiring.connect(m, wiring.flipped(self.client[index]), wiring.flipped(self.port))
        return m
