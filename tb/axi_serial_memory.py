"""AXI4 memory that serves one transaction at a time, as small bridges do."""

import random

import cocotb

from hw.config import EngineConfig
from tb.memory import Memory
from tb.streams import Bench, Bit, set_value


class AxiSerialMemory:
    """Serves the component's port ``axi``, a whole read or a whole write at a time.

    While it serves one it takes no other address; data of a write it takes after the address, and
    the response comes ``latency`` cycles after the last beat. ``prefers`` says which of a read and
    a write that are both offered goes first: ``read``, ``write``, or ``any``, by chance. A slave
    may do all of that: a master that offers an address must be able to end its transaction.
    """

    def __init__(
        self, bench: Bench, config: EngineConfig, memory: Memory, *, latency: int, prefers: str
    ):
        self.reads = self.writes = 0
        self._bench = bench
        self._memory = memory
        self._step = config.bus_bytes
        self._latency = latency
        self._prefers = prefers
        self._random = random.Random(f"{prefers} serial")
        self._bits = {
            name: Bit(getattr(bench.dut, f"axi__{name}"))
            for name in ("arready", "rvalid", "awready", "wready", "bvalid")
        }
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        dut = self._bench.dut
        while True:
            await self._bench.edge
            reads, writes = bool(dut.axi__arvalid.value), bool(dut.axi__awvalid.value)
            if reads and writes:
                reads = {"read": True, "write": False}.get(
                    self._prefers, self._random.random() < 0.5
                )
            if reads:
                await self._read()
            elif writes:
                await self._write()

    async def _offer(self, name: str) -> None:
        """Hold a ready or a valid at 1 until its transfer."""
        self._bits[name].drive(True)
        pair = name.replace("ready", "valid") if "ready" in name else name.replace("valid", "ready")
        while True:
            await self._bench.edge
            if getattr(self._bench.dut, f"axi__{pair}").value:
                self._bits[name].drive(False)
                return

    async def _read(self) -> None:
        dut = self._bench.dut
        address, beats = int(dut.axi__araddr.value), int(dut.axi__arlen.value) + 1
        set_value(dut.axi__rid, int(dut.axi__arid.value))
        await self._offer("arready")
        await self._bench.cycles(self._latency)
        for beat in range(beats):
            content = self._memory.read(address + beat * self._step, self._step)
            set_value(dut.axi__rdata, int.from_bytes(content, "little"))
            set_value(dut.axi__rresp, 0)
            set_value(dut.axi__rlast, int(beat == beats - 1))
            await self._offer("rvalid")
        self.reads += 1

    async def _write(self) -> None:
        dut = self._bench.dut
        address, beats = int(dut.axi__awaddr.value), int(dut.axi__awlen.value) + 1
        await self._offer("awready")
        for beat in range(beats):
            await self._offer("wready")
            content = int(dut.axi__wdata.value).to_bytes(self._step, "little")
            strobe = int(dut.axi__wstrb.value)
            assert dut.axi__wlast.value == (beat == beats - 1)
            for offset in range(self._step):
                if strobe >> offset & 1:
                    place = address + beat * self._step + offset
                    self._memory.bytes[place] = content[offset]
        await self._bench.cycles(self._latency)
        set_value(dut.axi__bresp, 0)
        await self._offer("bvalid")
        self.writes += 1
