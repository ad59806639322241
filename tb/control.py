"""A host on the control registers: cocotb tests read and write words through it."""

from collections.abc import Iterator, Mapping
from typing import Any

from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

from hw.bus.registers import REGISTERS, job_fields, job_registers, masks, offsets
from hw.config import EngineConfig
from hw.job import Order
from tb.layouts import decode
from tb.runner import parameters
from tb.streams import Bench, set_value

OFFSETS = offsets()
MASKS = masks()
JOB = job_registers()
JOB_FIELDS = {field.name: MASKS[f"CONTROL.{field.name}"] for field in job_fields()}
"""Mask in CONTROL of each field that is the job's."""
START, HOST_INIT, INTERRUPT_ENABLE = (
    MASKS[f"CONTROL.{field}"] for field in ("start", "host_init", "interrupt_enable")
)
BUSY, DONE = MASKS["STATUS.busy"], MASKS["STATUS.done"]
ENDS = {
    field.name: 1 << field.bit
    for register in REGISTERS
    if register.name == "STATUS"
    for field in register.fields
    if field.holder == "engine"
}
"""What may have become of a job: mask in STATUS of each bit beside busy and done."""
BAD_JOB, NONFINITE, BUS_ERROR, BAD_LIST, ABORTED, TIMED_OUT = (
    ENDS[name] for name in ("bad_job", "nonfinite", "bus_error", "bad_list", "aborted", "timed_out")
)


def job_writes(order: Mapping[str, int]) -> Iterator[tuple[int, int]]:
    """(offset, word) of the writes that start a job with the interrupt enabled."""
    for register in JOB:
        for number, (_, offset) in enumerate(register.word_names):
            yield offset, order[register.member] >> 32 * number & 0xFFFF_FFFF
    fields = sum(mask for name, mask in JOB_FIELDS.items() if order[name])
    yield OFFSETS["CONTROL"], START | INTERRUPT_ENABLE | fields


def quiet_engine(dut: Any) -> None:
    """Drive what the register block is told by the engine: nothing yet."""
    for register in REGISTERS:
        if register.holder == "engine" and not register.fields:
            set_value(getattr(dut, register.member), 0)
    for name in ("finished", "alarm", *ENDS):
        getattr(dut, name).value = 0


class Host:
    """Reads and writes words of `hw.bus.axi_lite.ControlRegisters`, and checks the response."""

    def __init__(self, dut: Any):
        self.bench = Bench(dut)
        self.config = EngineConfig(**parameters())
        self.master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "bus_"), dut.clk, dut.rst)
        self._dut = dut
        quiet_engine(dut)

    async def read(self, offset: int, response: AxiResp = AxiResp.OKAY) -> int:
        """The word at ``offset``; fails unless the response is ``response``."""
        answer = await self.master.read(offset, 4)
        assert answer.resp == response, f"read of {offset:#x}: {answer.resp!r}"
        return int.from_bytes(answer.data, "little")

    async def write(
        self, offset: int, value: int, response: AxiResp = AxiResp.OKAY, size: int = 4
    ) -> None:
        """Write the ``size`` bytes from ``offset``; fails unless the response is ``response``."""
        answer = await self.master.write(offset, value.to_bytes(size, "little"))
        assert answer.resp == response, f"write of {value:#x} to {offset:#x}: {answer.resp!r}"

    async def finish(self) -> None:
        """The engine's pulse at the end of a job."""
        self._dut.finished.value = 1
        await self.bench.cycles(1)
        self._dut.finished.value = 0
        await self.bench.cycles(2)

    async def words(self) -> dict[str, int]:
        """Every word of the map, read one by one."""
        return {name: await self.read(offset) for name, offset in OFFSETS.items()}

    def order(self) -> dict[str, int]:
        """The members of the ``order`` port."""
        members: dict[str, int] = decode(
            Order(self.config), int(self._dut.order.value.to_unsigned())
        )
        return members
