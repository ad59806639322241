"""AXI signatures: the AXI4 memory master (AMBA IHI 0022, AXI4) and the AXI4-Lite slave.

Member names are the standard's channel names in lower case, so that a component whose member is
``axi`` has Verilog ports ``axi__awaddr`` and so on.
"""

from amaranth.hdl import Module
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from hw.config import EngineConfig

BURST_INCR = 1
"""AxBURST of a burst whose beats lie one after the other."""

ID_BITS = 1
"""Read client A's bursts carry id 0 and client B's id 1; writes carry id 0."""

CACHE = 0b0010
"""AxCACHE: normal memory, neither cached nor buffered. A write's response then comes from memory
itself, so that whoever sees the interrupt sees the results, whatever way they look."""

PROT = 0b010
"""AxPROT: unprivileged, non-secure data. An engine that a driver can point anywhere asks for no
more than any program may."""

LITE_ADDRESS_BITS = 12
LITE_DATA_BITS = 32


class Response(enum.Enum, shape=2):  # type: ignore[call-arg]
    """RRESP and BRESP."""

    OKAY = 0
    EXOKAY = 1
    SLVERR = 2
    DECERR = 3


class Axi4Read(wiring.Signature):
    """The AR and R channels of a master with bus_bytes * 8 data bits."""

    def __init__(self, config: EngineConfig):
        super().__init__(
            {
                **_address_channel(config, "ar"),
                "rid": In(ID_BITS),
                "rdata": In(config.bus_bits),
                "rresp": In(Response),
                "rlast": In(1),
                "rvalid": In(1),
                "rready": Out(1),
            }
        )


class Axi4Write(wiring.Signature):
    """The AW, W and B channels of a master with bus_bytes * 8 data bits."""

    def __init__(self, config: EngineConfig):
        super().__init__(
            {
                **_address_channel(config, "aw"),
                "wdata": Out(config.bus_bits),
                "wstrb": Out(config.bus_bytes),
                "wlast": Out(1),
                "wvalid": Out(1),
                "wready": In(1),
                "bid": In(ID_BITS),
                "bresp": In(Response),
                "bvalid": In(1),
                "bready": Out(1),
            }
        )


class Axi4(wiring.Signature):
    """All five channels of a master: `Axi4Write` and `Axi4Read` side by side, and what is constant.

    Their ``cache`` and ``prot`` are `CACHE` and `PROT` on both address channels. AxLOCK, AxQOS and
    AxREGION are left out: what AXI4 has a slave take for them, 0, is what they would be.
    """

    def __init__(self, config: EngineConfig):
        super().__init__(
            {
                **dict(Axi4Write(config).members.items()),
                **dict(Axi4Read(config).members.items()),
                "awcache": Out(4),
                "awprot": Out(3),
                "arcache": Out(4),
                "arprot": Out(3),
            }
        )


class Axi4Lite(wiring.Signature):
    """A 32-bit AXI4-Lite bus as its master sees it; a slave's member is ``In(Axi4Lite())``."""

    def __init__(self) -> None:
        super().__init__(
            {
                "awaddr": Out(LITE_ADDRESS_BITS),
                "awprot": Out(3),
                "awvalid": Out(1),
                "awready": In(1),
                "wdata": Out(LITE_DATA_BITS),
                "wstrb": Out(LITE_DATA_BITS // 8),
                "wvalid": Out(1),
                "wready": In(1),
                "bresp": In(Response),
                "bvalid": In(1),
                "bready": Out(1),
                "araddr": Out(LITE_ADDRESS_BITS),
                "arprot": Out(3),
                "arvalid": Out(1),
                "arready": In(1),
                "rdata": In(LITE_DATA_BITS),
                "rresp": In(Response),
                "rvalid": In(1),
                "rready": Out(1),
            }
        )


def connect_master(
    m: Module,
    axi: wiring.PureInterface,
    read: wiring.PureInterface,
    write: wiring.PureInterface,
) -> None:
    """Join a reader's `Axi4Read` and a writer's `Axi4Write` to the component's own `Axi4` port.

    What is constant on it is driven here.
    """
    for part in (read, write):
        for name, member in part.signature.members.items():
            inner, outer = getattr(part, name), getattr(axi, name)
            m.d.comb += outer.eq(inner) if member.flow is Out else inner.eq(outer)
    m.d.comb += [axi.awcache.eq(CACHE), axi.awprot.eq(PROT)]
    m.d.comb += [axi.arcache.eq(CACHE), axi.arprot.eq(PROT)]


def _address_channel(config: EngineConfig, prefix: str) -> dict[str, wiring.Member]:
    return {
        f"{prefix}id": Out(ID_BITS),
        f"{prefix}addr": Out(config.address_bits),
        f"{prefix}len": Out(8),
        f"{prefix}size": Out(3),
        f"{prefix}burst": Out(2),
        f"{prefix}valid": Out(1),
        f"{prefix}ready": In(1),
    }
