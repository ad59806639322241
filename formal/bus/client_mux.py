"""Client mux: the port is the selected client's, and busy for the others."""

from typing import Any

from amaranth.hdl import Assert, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from formal.proof import Proof
from hw.bus.client import WriteClient
from hw.bus.client_mux import ClientMux
from hw.config import PRESETS

_CLIENTS = 3
_SIGNATURE = WriteClient(PRESETS["tiny"])


class _Properties(wiring.Component):
    """All ports are free, and so is who is selected."""

    def __init__(self, unit: Any):
        self._unit = unit(_SIGNATURE, _CLIENTS)
        super().__init__(
            {
                "select": In(range(_CLIENTS)),
                "client": In(_SIGNATURE).array(_CLIENTS),
                "port": Out(_SIGNATURE),
                "reached": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        wiring.connect(m, wiring.flipped(self.port), unit.port)
        m.d.comb += unit.select.eq(self.select)
        for number in range(_CLIENTS):
            client, port = unit.client[number], unit.port
            wiring.connect(m, wiring.flipped(self.client[number]), client)
            with m.If(self.select == number):
                m.d.comb += [
                    Assert(port.request.payload == client.request.payload),
                    Assert(port.request.valid == client.request.valid),
                    Assert(client.request.ready == port.request.ready),
                    Assert(port.beat.payload == client.beat.payload),
                    Assert(port.beat.valid == client.beat.valid),
                    Assert(client.beat.ready == port.beat.ready),
                    Assert(client.idle == port.idle),
                ]
            with m.Else():
                m.d.comb += Assert(~(client.request.ready | client.beat.ready | client.idle))
        m.d.comb += self.reached.eq(unit.port.request.valid & unit.client[_CLIENTS - 1].idle)
        return m


PROOF = Proof(
    ClientMux,
    f"the selected one of {_CLIENTS} writers has the port, request, beats and all; the others see"
    " one that takes nothing and is not idle",
    _Properties,
    (
        ("m.Case(index)", "m.Case(index ^ 1)"),
        ("range(self._clients)", "range(1, self._clients)"),
        ("with m.Case(index):", "with m.Case(*range(self._clients)):"),
    ),
    ("the last client is connected",),
)
