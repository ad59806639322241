"""The matching engine: DATM behind AXI4 memory and AXI4-Lite registers."""

from amaranth.hdl import Cat, Module, ResetInserter
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.bus.axi import Axi4, Axi4Lite, connect_master
from hw.bus.axi_lite import ControlRegisters
from hw.bus.axi_reader import AxiReader
from hw.bus.axi_writer import AxiWriter
from hw.bus.cycle_counters import CycleCounters
from hw.bus.registers import COUNTERS, counter_member
from hw.bus.supervisor import Supervisor
from hw.config import EngineConfig
from hw.datm import Datm


class DatmEngine(wiring.Component):
    """Quantises the tokens in memory, matches them, and leaves the cheapest pairs in memory.

    Ports: ``axi`` Out `Axi4`, the memory master, a beat of bus_bytes a cycle each way;
    ``control`` In `Axi4Lite`, the registers of docs/registers.md; ``irq`` Out, the interrupt line,
    high from a job's end until the host clears it, where enabled.

    A job: the host writes the TOKENS region, the sizes and addresses, then CONTROL.start. The
    engine raises the interrupt with STATUS.done when the results are in memory, or with an error
    bit (`hw.bus.supervisor.Supervisor`). docs/regions.md lists the regions.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__({"axi": Out(Axi4(config)), "control": In(Axi4Lite()), "irq": Out(1)})

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        m.submodules.registers = registers = ControlRegisters(config)
        m.submodules.supervisor = supervisor = Supervisor()
        datm = Datm(config)
        m.submodules.datm = ResetInserter(supervisor.flush)(datm)
        m.submodules.reader = reader = AxiReader(config)
        m.submodules.writer = writer = AxiWriter(config)
        m.submodules.counters = counters = CycleCounters()
        wiring.connect(m, wiring.flipped(self.control), registers.bus)
        wiring.connect(m, datm.read_a, reader.a)
        wiring.connect(m, datm.read_b, reader.b)
        wiring.connect(m, datm.write, writer.client)
        m.d.comb += reader.prompt.eq(datm.prompt & registers.order.read_ahead.replicate(2))
        connect_master(m, self.axi, reader.axi, writer.axi)
        m.d.comb += [
            self.irq.eq(registers.irq),
            datm.order.eq(registers.order),
            datm.run.start.eq(registers.start),
            registers.bad_job.eq(datm.bad_job),
            registers.nonfinite.eq(datm.nonfinite),
            registers.bad_list.eq(datm.bad_list),
            registers.bus_error.eq(supervisor.bus_error),
            registers.aborted.eq(supervisor.aborted),
            registers.timed_out.eq(supervisor.timed_out),
            registers.pairings.eq(datm.pairings),
            registers.moved_slots.eq(datm.moved),
            registers.finished.eq(supervisor.ended),
            registers.alarm.eq(supervisor.alarm),
            supervisor.start.eq(registers.start),
            supervisor.done.eq(datm.run.done),
            supervisor.abort.eq(registers.abort),
            supervisor.limit.eq(registers.order.watchdog),
            supervisor.bus_error.eq(reader.error | writer.error),
            supervisor.quiet.eq(reader.quiet & writer.quiet),
            counters.clear.eq(registers.start),
            counters.phase.eq(datm.phase),
            counters.dau_busy.eq(datm.dau_busy),
        ]
        for counter in COUNTERS:
            m.d.comb += getattr(registers, counter_member(counter)).eq(getattr(counters, counter))
        for port in (reader, writer):
            m.d.comb += [
                port.clear.eq(registers.start),
                port.stop.eq(supervisor.stop),
                port.flush.eq(supervisor.flush),
            ]
        # A register: what memory answers with goes no further in its own cycle.
        axi = self.axi
        m.d.sync += supervisor.transfer.eq(
            Cat(
                getattr(axi, f"{channel}valid") & getattr(axi, f"{channel}ready")
                for channel in ("ar", "r", "aw", "w", "b")
            ).any()
        )
        return m
