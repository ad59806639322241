"""AXI4 memory: block RAM that the engine uses as its memory, and a host byte by byte."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.credit_queue import CreditQueue
from hw.bus.axi import ID_BITS, Axi4, Response
from hw.config import EngineConfig
from hw.fpga.protocol import MEMORY_LATENCY

BYTE_ADDRESS_BITS = 32

_PAGE = 4096
"""Bytes within which AXI keeps each burst."""


class BytePort(wiring.Signature):
    """A memory as a host uses it: one byte a cycle, read or written, never held off.

    Members: ``enable`` Out; ``write`` Out: write ``data`` Out (8 bits), else read; ``address`` Out,
    in bytes, within the memory; ``entry`` In: the byte that was read in the cycle before.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "enable": Out(1),
                "write": Out(1),
                "address": Out(BYTE_ADDRESS_BITS),
                "data": Out(8),
                "entry": In(8),
            }
        )


class AxiMemory(wiring.Component):
    """``beats`` beats of block RAM from address 0, with one read and one write port.

    Ports: ``axi`` In `Axi4`: bursts are INCR, as wide as the bus and within 4 KiB; ``host`` In
    `BytePort`, which goes first: a cycle of its own is none for AXI's beats.

    One read burst and one write burst at a time; the address of the next is taken with the last
    beat of the one before. A beat a cycle each way. A read's first beat comes `read_latency` cycles
    after its address, a write's response in the cycle after its last beat. A beat beyond the memory
    reads anything and writes nothing, and is answered with DECERR.
    """

    read_latency = MEMORY_LATENCY
    _pipeline = 1

    def __init__(self, config: EngineConfig, beats: int):
        self._config = config
        self._beats = beats
        super().__init__({"axi": In(Axi4(config)), "host": In(BytePort())})

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        width = self._config.bus_bits
        m.submodules.memory = memory = Memory(shape=width, depth=self._beats, init=[])
        self._read(m, memory.read_port())
        self._write(m, memory.write_port(granularity=8))
        return m

    @property
    def _beat_bits(self) -> int:
        """Bits of a beat's number: it may be beyond the memory, and a burst never wraps around."""
        page_beats = _PAGE // self._config.bus_bytes
        return max(self._beats.bit_length(), (page_beats - 1).bit_length())

    def _beat_of(self, address: Signal) -> tuple[Signal, Signal]:
        """The number of the beat at an address, and the bits above it, of which memory has none."""
        shift = exact_log2(self._config.bus_bytes)
        above = shift + self._beat_bits
        return address[shift:above], address[above:]

    def _read(self, m: Module, port: wiring.PureInterface) -> None:
        """The AR and R channels, and the host's reads."""
        axi, host = self.axi, self.host
        answer = data.StructLayout(
            {"data": self._config.bus_bits, "response": Response, "id": ID_BITS, "last": 1}
        )
        m.submodules.answers = answers = CreditQueue(answer, CreditQueue.depth_for(self._pipeline))
        open_ = Signal()
        beat = Signal(self._beat_bits, reset_less=True)
        above = Signal(reset_less=True)
        left = Signal(8, reset_less=True)  # Beats after this one.
        ident = Signal(ID_BITS, reset_less=True)
        issue, last = Signal(), Signal()
        first, high = self._beat_of(axi.araddr)
        m.d.comb += [
            issue.eq(open_ & answers.room & ~host.enable),
            last.eq(issue & (left == 0)),
            axi.arready.eq(~open_ | last),
            answers.take.eq(issue),
            port.en.eq(issue | host.enable),
            port.addr.eq(Mux(host.enable, self._beat_of(host.address)[0], beat)),
        ]
        with m.If(issue):
            m.d.sync += [beat.eq(beat + 1), left.eq(left - 1), open_.eq(left != 0)]
        with m.If(axi.arvalid & axi.arready):
            m.d.sync += [
                open_.eq(1),
                beat.eq(first),
                above.eq(high.any()),
                left.eq(axi.arlen),
                ident.eq(axi.arid),
            ]
        beyond = above | (beat >= self._beats)
        issued = Signal()  # The memory gives a beat of AXI, and this is what goes with it.
        beside = Signal.like(answers.i.payload, reset_less=True)
        came, given = answers.i.payload, answers.o.payload
        m.d.sync += [
            issued.eq(issue),
            beside.id.eq(ident),
            beside.last.eq(left == 0),
            beside.response.eq(Mux(beyond, Response.DECERR, Response.OKAY)),
        ]
        m.d.comb += [
            answers.i.valid.eq(issued),
            came.eq(beside),
            came.data.eq(port.data),
            axi.rvalid.eq(answers.o.valid),
            answers.o.ready.eq(axi.rready),
            axi.rdata.eq(given.data),
            axi.rresp.eq(given.response),
            axi.rid.eq(given.id),
            axi.rlast.eq(given.last),
        ]
        lane = Signal(range(self._config.bus_bytes), reset_less=True)
        m.d.sync += lane.eq(host.address)
        m.d.comb += host.entry.eq(port.data.word_select(lane, 8))

    def _write(self, m: Module, port: wiring.PureInterface) -> None:
        """The AW, W and B channels, and the host's writes."""
        axi, host = self.axi, self.host
        lanes = self._config.bus_bytes
        open_ = Signal()
        beat = Signal(self._beat_bits, reset_less=True)
        above = Signal(reset_less=True)
        failed = Signal()  # A beat of this burst was beyond the memory.
        ident = Signal(ID_BITS, reset_less=True)
        take, last = Signal(), Signal()
        beyond = above | (beat >= self._beats)
        first, high = self._beat_of(axi.awaddr)
        m.d.comb += [
            axi.wready.eq(open_ & ~host.enable & (~axi.bvalid | axi.bready)),
            take.eq(axi.wvalid & axi.wready),
            last.eq(take & axi.wlast),
            axi.awready.eq(~open_ | last),
        ]
        with m.If(host.enable):
            m.d.comb += [
                port.addr.eq(self._beat_of(host.address)[0]),
                port.data.eq(host.data.replicate(lanes)),
                port.en.eq(Mux(host.write, 1 << host.address[: exact_log2(lanes)], 0)),
            ]
        with m.Else():
            m.d.comb += [
                port.addr.eq(beat),
                port.data.eq(axi.wdata),
                port.en.eq(Mux(take & ~beyond, axi.wstrb, 0)),
            ]
        with m.If(axi.bvalid & axi.bready):
            m.d.sync += axi.bvalid.eq(0)
        with m.If(take):
            m.d.sync += [beat.eq(beat + 1), failed.eq(failed | beyond)]
        with m.If(last):
            m.d.sync += [
                open_.eq(0),
                failed.eq(0),
                axi.bvalid.eq(1),
                axi.bid.eq(ident),
                axi.bresp.eq(Mux(failed | beyond, Response.DECERR, Response.OKAY)),
            ]
        with m.If(axi.awvalid & axi.awready):
            m.d.sync += [
                open_.eq(1),
                beat.eq(first),
                above.eq(high.any()),
                ident.eq(axi.awid),
            ]
