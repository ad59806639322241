"""AXI4 memory for components under test: latency, stalls, any legal order; and the AXI rules."""

import random
from collections import deque
from collections.abc import Iterator

import cocotb

from hw.config import EngineConfig
from tb.memory import LATENCY, Memory
from tb.streams import Bench, Bit, set_value

SLVERR = 2


def pauses(probability: float, seed: int) -> Iterator[bool]:
    """For cocotbext-axi's pause generators: without end, true with ``probability``."""
    rng = random.Random(f"{seed} pauses")
    while True:
        yield rng.random() < probability


class AxiMonitor:
    """Checks what a master drives on the channels ``channels`` of its port ``axi``.

    A raised valid must stay, and what goes with it must not change, until the transfer; a burst
    is INCR, as wide as the bus, no longer than burst_beats and within 4 KiB; WLAST marks the last
    beat of each burst and no other; RREADY and BREADY are 1. ``bursts`` holds (cycle, channel,
    id, address, beats) of each address transfer.
    """

    _PAYLOADS = {  # noqa: RUF012
        "ar": ("arid", "araddr", "arlen", "arsize", "arburst"),
        "aw": ("awid", "awaddr", "awlen", "awsize", "awburst"),
        "w": ("wdata", "wstrb", "wlast"),
    }

    def __init__(self, bench: Bench, config: EngineConfig, channels: tuple[str, ...]):
        self.bursts: list[tuple[int, str, int, int, int]] = []
        self.write_lengths: list[int] = []
        self._bench = bench
        self._config = config
        for channel in channels:
            cocotb.start_soon(self._watch(channel))

    def check_write_lengths(self) -> None:
        """At rest: the data bursts on W are as long as AW said, one by one."""
        said = [beats for _, channel, _, _, beats in self.bursts if channel == "aw"]
        assert self.write_lengths == said

    def _may_wait(self) -> bool:
        """Whether a read client may hold beats off: a prompt one, of which an engine has some."""
        prompt = getattr(self._bench.dut, "prompt", None)
        return prompt is None or prompt.value != 0

    async def _watch(self, channel: str) -> None:
        dut = self._bench.dut
        valid, ready = (getattr(dut, f"axi__{channel}{end}") for end in ("valid", "ready"))
        answer = getattr(dut, "axi__rready" if channel == "ar" else "axi__bready")
        handles = [getattr(dut, f"axi__{name}") for name in self._PAYLOADS[channel]]
        held, beats = None, 0
        while True:
            await self._bench.edge
            if dut.rst.value:
                held, beats = None, 0
                continue
            assert answer.value == 1 or (channel == "ar" and self._may_wait())
            if not valid.value:
                assert held is None, f"{channel}: valid dropped before the transfer"
                continue
            payload = [int(handle.value) for handle in handles]
            assert held in (None, payload), f"{channel}: payload changed before the transfer"
            held = None if ready.value else payload
            if held is not None:
                continue
            if channel == "w":
                beats += 1
                if payload[2]:
                    self.write_lengths.append(beats)
                    beats = 0
                assert beats < self._config.burst_beats, "w: WLAST is late"
            else:
                self._burst(channel, *payload)

    def _burst(
        self, channel: str, ident: int, address: int, length: int, size: int, kind: int
    ) -> None:
        step, beats = self._config.bus_bytes, length + 1
        assert kind == 1
        assert 1 << size == step
        assert address % step == 0
        assert beats <= self._config.burst_beats
        assert address // 4096 == (address + beats * step - 1) // 4096, "a burst crosses 4 KiB"
        self.bursts.append((self._bench.cycle, channel, ident, address, beats))


class AxiReadMemory:
    """Answers the AR channel of the component's port ``axi``.

    A burst's first beat comes ``latency`` cycles after its address or later. Bursts of one id are
    answered in order; of two ids in any order, their beats mixed where ``mix_beats`` is true.
    ``stall`` is the probability that a cycle offers no beat, and, unless ``address_stall`` says
    otherwise, that it takes no address. Beats at the addresses in ``errors`` are answered with
    SLVERR.
    """

    def __init__(
        self,
        bench: Bench,
        config: EngineConfig,
        memory: Memory,
        *,
        latency: int = LATENCY,
        stall: float = 0.0,
        address_stall: float | None = None,
        mix_beats: bool = False,
        seed: int = 0,
    ):
        self.errors: set[int] = set()
        self.beats: list[tuple[int, int]] = []
        """(cycle, id) of each beat."""
        self._bench = bench
        self._memory = memory
        self._latency = latency
        self._stall = stall
        self._address_stall = stall if address_stall is None else address_stall
        self._mix_beats = mix_beats
        self._step = config.bus_bytes
        self._random = random.Random(f"{seed} axi read")
        self._ready = Bit(bench.dut.axi__arready)
        self._offer = Bit(bench.dut.axi__rvalid)
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        dut = self._bench.dut
        # Bursts on their way, for each id: (cycle of the first beat, address, beats left).
        waiting: dict[int, deque[tuple[int, int, int]]] = {0: deque(), 1: deque()}
        current: int | None = None
        while True:
            await self._bench.edge
            held = bool(self._offer) and not dut.axi__rready.value
            if self._offer and not held:
                assert current is not None
                self.beats.append((self._bench.cycle, current))
                due, address, left = waiting[current].popleft()
                if left > 1:
                    waiting[current].appendleft((due, address + self._step, left - 1))
                else:
                    current = None
            if dut.rst.value:
                waiting[0].clear()
                waiting[1].clear()
                current = None
                held = False
            elif self._ready and dut.axi__arvalid.value:
                address, beats = int(dut.axi__araddr.value), int(dut.axi__arlen.value) + 1
                due = self._bench.cycle + self._latency
                waiting[int(dut.axi__arid.value)].append((due, address, beats))
            self._ready.drive(self._random.random() >= self._address_stall)

            if held:
                continue
            if current is None or self._mix_beats:
                coming = self._bench.cycle + 1
                due_ids = [i for i, bursts in waiting.items() if bursts and bursts[0][0] <= coming]
                current = self._random.choice(due_ids) if due_ids else None
            offer = current is not None and self._random.random() >= self._stall
            self._offer.drive(offer)
            if offer:
                assert current is not None
                _, address, left = waiting[current][0]
                word = int.from_bytes(self._memory.read(address, self._step), "little")
                set_value(dut.axi__rdata, word)
                set_value(dut.axi__rid, current)
                set_value(dut.axi__rresp, SLVERR if address in self.errors else 0)
                set_value(dut.axi__rlast, int(left == 1))


class AxiWriteMemory:
    """Takes the AW and W channels of the component's port ``axi`` and answers on B.

    ``order`` is one that AXI allows a slave: ``any`` takes address and data as they come; with
    ``address first`` a burst's data is taken only after its address; with ``data first`` its
    address only after all of its data. The bytes land in the cycle of the response, ``latency``
    cycles after the last of address and data or later. ``stall`` is the probability that a cycle
    takes no address, takes no data, gives no response. Bursts at the addresses in ``errors`` are
    answered with SLVERR.
    """

    def __init__(
        self,
        bench: Bench,
        config: EngineConfig,
        memory: Memory,
        *,
        latency: int = LATENCY,
        stall: float = 0.0,
        order: str = "any",
        seed: int = 0,
    ):
        self.errors: set[int] = set()
        self.beats: list[int] = []
        """The cycle of each beat."""
        self._bench = bench
        self._memory = memory
        self._latency = latency
        self._stall = stall
        self._order = order
        self._step = config.bus_bytes
        self._random = random.Random(f"{seed} axi write")
        self._take_address = Bit(bench.dut.axi__awready)
        self._take_data = Bit(bench.dut.axi__wready)
        self._answer = Bit(bench.dut.axi__bvalid)
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        dut, step = self._bench.dut, self._step
        addresses: deque[int] = deque()  # Of bursts whose data is not all here.
        bursts: deque[list[tuple[int, int]]] = deque()  # Data without an address yet.
        filling: list[tuple[int, int]] = []
        landing: deque[tuple[int, int, list[tuple[int, int]]]] = deque()
        while True:
            await self._bench.edge
            if dut.rst.value:
                filling = []
                for queue in (addresses, bursts, landing):
                    queue.clear()
            else:
                if self._take_address and dut.axi__awvalid.value:
                    addresses.append(int(dut.axi__awaddr.value))
                if self._take_data and dut.axi__wvalid.value:
                    self.beats.append(self._bench.cycle)
                    filling.append((int(dut.axi__wdata.value), int(dut.axi__wstrb.value)))
                    if dut.axi__wlast.value:
                        bursts.append(filling)
                        filling = []
            while addresses and bursts:
                due = self._bench.cycle + self._latency
                landing.append((due, addresses.popleft(), bursts.popleft()))

            answer = (
                bool(landing)
                and landing[0][0] <= self._bench.cycle + 1
                and self._random.random() >= self._stall
            )
            self._answer.drive(answer)
            if answer:
                _, address, beats = landing.popleft()
                set_value(dut.axi__bresp, SLVERR if address in self.errors else 0)
                for index, (word, strobe) in enumerate(beats):
                    self._land(address + index * step, word, strobe)

            take_address = self._random.random() >= self._stall
            take_data = self._random.random() >= self._stall
            if self._order == "data first":
                take_address = take_address and bool(bursts)
            if self._order == "address first":
                take_data = take_data and bool(addresses)
            self._take_address.drive(take_address)
            self._take_data.drive(take_data)

    def _land(self, address: int, word: int, strobe: int) -> None:
        for offset, byte in enumerate(word.to_bytes(self._step, "little")):
            if strobe >> offset & 1:
                self._memory.bytes[address + offset] = byte
