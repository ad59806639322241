"""The control registers around a job: start, lock, status, interrupt and running counters."""

from typing import Any

import cocotb
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiResp

from hw.bus.axi_lite import ControlRegisters
from hw.config import PRESETS
from tb.control import (
    BUSY,
    DONE,
    ENDS,
    HOST_INIT,
    INTERRUPT_ENABLE,
    JOB,
    OFFSETS,
    START,
    Host,
)
from tb.runner import simulate
from tb.streams import Watch, set_value


@cocotb.test()
async def job_cycle(dut: Any) -> None:
    """Start pulses once, locks the job registers, and the end of job unlocks them."""
    host = Host(dut)
    pulses = Watch(host.bench, "start").cycles
    await host.bench.reset()
    control, status = OFFSETS["CONTROL"], OFFSETS["STATUS"]
    for job in (1, 2):
        await host.write(OFFSETS["TOKENS"], 40 + job)
        # The host writes on without waiting: the second write must find the lock closed.
        writes = [
            host.master.init_write(offset, value.to_bytes(4, "little"))
            for offset, value in ((control, START | HOST_INIT), (OFFSETS["TOKENS"], 7))
        ]
        for write in writes:
            await write.wait()
        assert [write.data.resp for write in writes] == [AxiResp.OKAY, AxiResp.SLVERR]
        assert len(pulses) == job
        assert dut.busy.value == 1
        assert await host.read(status) == BUSY
        assert await host.read(control) == HOST_INIT
        before = host.order()
        for register in JOB:
            for _, offset in register.word_names:
                await host.write(offset, 0, AxiResp.SLVERR)
        await host.write(control, START, AxiResp.SLVERR)
        await host.write(control, 0, AxiResp.SLVERR)
        await host.write(OFFSETS["INTERRUPT"], 1)
        assert host.order() == before
        assert before["tokens"] == 40 + job
        await host.finish()
        assert dut.busy.value == 0
        assert await host.read(status) == DONE
        assert len(pulses) == job
    for name, bit in ENDS.items():
        getattr(dut, name).value = 1
        assert await host.read(status) == DONE | bit
        getattr(dut, name).value = 0


@cocotb.test()
async def interrupts(dut: Any) -> None:
    """The line is pending and enable; a 1 clears pending, a 0 does not; an end at once stays."""
    host = Host(dut)
    await host.bench.reset()
    control, interrupt = OFFSETS["CONTROL"], OFFSETS["INTERRUPT"]
    await host.write(control, START)
    await host.finish()
    assert await host.read(interrupt) == 1
    assert dut.irq.value == 0
    await host.write(control, INTERRUPT_ENABLE)
    assert dut.irq.value == 1
    await host.write(interrupt, 0)
    assert dut.irq.value == 1
    await host.write(interrupt, 1)
    assert dut.irq.value == 0
    assert await host.read(interrupt) == 0


@cocotb.test()
async def aborts(dut: Any) -> None:
    """A 1 written to abort pulses once, busy or not; a 0 does nothing, and both read 0."""
    host = Host(dut)
    pulses = Watch(host.bench, "abort").cycles
    await host.bench.reset()
    for start in (0, START):
        await host.write(OFFSETS["CONTROL"], start)
        before = len(pulses)
        await host.write(OFFSETS["ABORT"], 0)
        assert len(pulses) == before
        await host.write(OFFSETS["ABORT"], 1)
        await host.bench.cycles(3)
        assert len(pulses) == before + 1
        assert await host.read(OFFSETS["ABORT"]) == 0
        assert await host.read(OFFSETS["STATUS"]) == (BUSY if start else 0)


@cocotb.test()
async def alarms(dut: Any) -> None:
    """An alarm interrupts while the job goes on, and its end interrupts again."""
    host = Host(dut)
    await host.bench.reset()
    await host.write(OFFSETS["CONTROL"], START | INTERRUPT_ENABLE)
    dut.alarm.value = 1
    await host.bench.cycles()
    dut.alarm.value = 0
    await host.bench.cycles(2)
    assert dut.irq.value == dut.busy.value == 1
    await host.write(OFFSETS["INTERRUPT"], 1)
    assert dut.irq.value == 0
    assert await host.read(OFFSETS["STATUS"]) == BUSY
    await host.finish()
    assert dut.irq.value == 1
    assert await host.read(OFFSETS["STATUS"]) == DONE
    # An end that nobody took the interrupt of does not stand for the next job's: not for a cycle.
    await host.write(OFFSETS["CONTROL"], 0)
    assert dut.irq.value == 0
    write = host.master.init_write(OFFSETS["CONTROL"], bytes([START | INTERRUPT_ENABLE, 0, 0, 0]))
    while not dut.busy.value:
        await host.bench.cycles()
        assert dut.irq.value == 0
    await write.wait()
    assert dut.irq.value == 0
    assert await host.read(OFFSETS["INTERRUPT"]) == 0


@cocotb.test()
@cocotb.parametrize(delay=range(9))
async def interrupt_race(dut: Any, delay: int) -> None:
    """An end of job before the clearing write is cleared; one in its cycle or after it stays."""
    host = Host(dut)
    await host.bench.reset()
    ends = Watch(host.bench, "finished").cycles
    responses = Watch(host.bench, "bus__bvalid").cycles
    write = host.master.init_write(OFFSETS["INTERRUPT"], b"\x01\0\0\0")
    await host.bench.cycles(delay)
    await host.finish()
    await write.wait()
    clearing = responses[0] - 1
    assert await host.read(OFFSETS["INTERRUPT"]) == int(ends[0] >= clearing)


@cocotb.test()
async def running_counter(dut: Any) -> None:
    """LO, then HI reads one moment of a counter that runs past 2^32 between the two reads."""
    host = Host(dut)
    await host.bench.reset()
    start = (5 << 32) - 12

    async def run() -> None:
        value = start
        while True:
            set_value(dut.cycles_pair, value)
            set_value(dut.cycles_dau, 3 << 32)
            await RisingEdge(dut.clk)
            value += 1

    cocotb.start_soon(run())
    values = []
    for _ in range(12):
        low = await host.read(OFFSETS["CYCLES_PAIR_LO"])
        high = await host.read(OFFSETS["CYCLES_PAIR_HI"])
        values.append(high << 32 | low)
    assert values == sorted(values)
    assert values[0] < 5 << 32 < values[-1] < start + 1000
    await host.read(OFFSETS["CYCLES_DAU_LO"])
    assert await host.read(OFFSETS["CYCLES_DAU_HI"]) == 3


def test_axi_lite_job() -> None:
    config = PRESETS["tiny"]
    simulate(ControlRegisters(config), __name__, "axi_lite_job", given=config.as_dict())
