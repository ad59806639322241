"""Control registers: the AXI4-Lite slave that holds the register map."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.bus.axi import LITE_DATA_BITS, Axi4Lite, Response
from hw.bus.register import WORD_BYTES, Holder, Register
from hw.bus.registers import REGISTERS
from hw.config import EngineConfig
from hw.job import Order

_WORD_SHIFT = exact_log2(WORD_BYTES)


class ControlRegisters(wiring.Component):
    """The registers of `hw.bus.registers` behind an AXI4-Lite slave, as docs/registers.md says.

    Ports:
        ``bus`` In `Axi4Lite`: one write and one read at a time; address and data of a write in
            any order.
        ``order`` Out `Order`: the job registers, constant while busy.
        ``start`` Out, as any ``pulse`` field: one cycle. ``finished`` In pulse: the job has ended;
            ``alarm`` In pulse: the host is to look at a job that has not.
        ``busy`` Out: from ``start`` to ``finished``. ``irq`` Out: the interrupt line, a level.
        What the engine holds, In: a member for each of its read-only registers and fields.

    A write whose address and data are both taken by cycle 0 takes effect, and has its response,
    from cycle `write_latency`; a read taken on cycle 0 has its data from cycle `read_latency`.
    An end of job, or an alarm, and a write that clears ``pending`` in one cycle leave it set.
    """

    write_latency = 2
    read_latency = 2

    def __init__(self, config: EngineConfig):
        self._config = config
        members = {
            "bus": In(Axi4Lite()),
            "order": Out(Order(config)),
            "finished": In(1),
            "alarm": In(1),
            "busy": Out(1),
            "irq": Out(1),
        }
        for register in REGISTERS:
            if not register.fields and register.holder == "engine":
                members[register.member] = In(register.width(config))
            for field in register.fields:
                if field.holder == "engine":
                    members[field.name] = Out(1) if field.access == "pulse" else In(1)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        self._own = own = {
            field.name: self.busy if field.name == "busy" else Signal(name=field.name)
            for register in REGISTERS
            for field in register.fields
            if field.holder == "block"
        }
        # Start clears pending a cycle late, and may have come with the enable.
        m.d.comb += self.irq.eq(own["pending"] & own["interrupt_enable"] & ~self.start)
        self._write(m)
        # After the writes: in one cycle, the later assignment wins.
        with m.If(self.start):
            m.d.sync += [own["busy"].eq(1), own["done"].eq(0), own["pending"].eq(0)]
        with m.If(self.finished):
            m.d.sync += [own["busy"].eq(0), own["done"].eq(1)]
        with m.If(self.finished | self.alarm):
            m.d.sync += own["pending"].eq(1)
        self._read(m)
        return m

    def _signal(self, holder: Holder, name: str) -> Value:
        """The signal of a register or field, by who holds it."""
        if holder == "block":
            return self._own[name]
        return self.order[name] if holder == "order" else getattr(self, name)

    def _write(self, m: Module) -> None:
        """Hold address and data until both are here, then write once."""
        bus = self.bus
        address = Signal(len(bus.awaddr))
        data = Signal(LITE_DATA_BITS)
        strobed = Signal(LITE_DATA_BITS)  # A 1 for each bit of a strobed byte.
        have_address = Signal()
        have_data = Signal()
        act = Signal()
        m.d.comb += [
            bus.awready.eq(~have_address),
            bus.wready.eq(~have_data),
            act.eq(have_address & have_data & ~bus.bvalid),
        ]
        with m.If(bus.awvalid & bus.awready):
            m.d.sync += [address.eq(bus.awaddr), have_address.eq(1)]
        with m.If(bus.wvalid & bus.wready):
            m.d.sync += [
                data.eq(bus.wdata),
                strobed.eq(Cat(bit.replicate(8) for bit in bus.wstrb)),
                have_data.eq(1),
            ]
        with m.If(bus.bvalid & bus.bready):
            m.d.sync += bus.bvalid.eq(0)

        response = Signal(Response, init=Response.DECERR)
        for register in REGISTERS:
            for field in register.fields:
                if field.access == "pulse":
                    m.d.sync += self._signal(field.holder, field.name).eq(0)
        with m.Switch(address[_WORD_SHIFT:]):
            for register in REGISTERS:
                for word in range(register.words):
                    with m.Case((register.offset >> _WORD_SHIFT) + word):
                        self._write_word(m, register, word, data, strobed, act, response)
        with m.If(act):
            m.d.sync += [
                have_address.eq(0),
                have_data.eq(0),
                bus.bvalid.eq(1),
                bus.bresp.eq(response),
            ]

    def _write_word(
        self,
        m: Module,
        register: Register,
        word: int,
        data: Signal,
        strobed: Signal,
        act: Signal,
        response: Value,
    ) -> None:
        """What a write of one word does: nothing but SLVERR where the rules refuse it."""
        if register.access == "ro":
            m.d.comb += response.eq(Response.SLVERR)
            return
        low = word * LITE_DATA_BITS
        mask = register.mask(self._config) >> low & ((1 << LITE_DATA_BITS) - 1)
        # Busy follows the write of start by two cycles, in which a response still stalls the next.
        locked = self.busy if register.access == "rw" else 0
        refused = Signal(name=f"refused_{register.member}_{word}")
        m.d.comb += [
            refused.eq(locked | (data & strobed & ~mask).any()),
            response.eq(Mux(refused, Response.SLVERR, Response.OKAY)),
        ]
        with m.If(act & ~refused):
            for field in register.fields:
                value = self._signal(field.holder, field.name)
                one = data[field.bit] & strobed[field.bit]
                if field.access == "pulse":
                    m.d.sync += value.eq(one)
                elif field.access == "w1c":
                    with m.If(one):
                        m.d.sync += value.eq(0)
                else:
                    with m.If(strobed[field.bit]):
                        m.d.sync += value.eq(data[field.bit])
            if not register.fields and mask:
                first, end = (mask & -mask).bit_length() - 1, mask.bit_length()
                value = self._signal(register.holder, register.member)[low + first : low + end]
                bits = strobed[first:end]
                m.d.sync += value.eq((value & ~bits) | (data[first:end] & bits))

    def _read(self, m: Module) -> None:
        """Hold the address, then the word it picks."""
        bus = self.bus
        address = Signal(len(bus.araddr))
        have_address = Signal()
        counter_high = Signal(LITE_DATA_BITS)
        m.d.comb += bus.arready.eq(~have_address)
        with m.If(bus.arvalid & bus.arready):
            m.d.sync += [address.eq(bus.araddr), have_address.eq(1)]
        with m.If(bus.rvalid & bus.rready):
            m.d.sync += bus.rvalid.eq(0)
        with m.If(have_address & ~bus.rvalid):
            m.d.sync += [
                have_address.eq(0),
                bus.rvalid.eq(1),
                bus.rdata.eq(0),
                bus.rresp.eq(Response.OKAY),
            ]
            with m.Switch(address[_WORD_SHIFT:]):
                for register in REGISTERS:
                    counter = register.access == "ro" and register.words > 1
                    for word in range(register.words):
                        with m.Case((register.offset >> _WORD_SHIFT) + word):
                            if counter and word:
                                m.d.sync += bus.rdata.eq(counter_high)
                                continue
                            value = self._word(register, word)
                            m.d.sync += bus.rdata.eq(value)
                            if counter:
                                whole = self._signal(register.holder, register.member)
                                m.d.sync += counter_high.eq(whole[LITE_DATA_BITS:])
                with m.Default():
                    m.d.sync += bus.rresp.eq(Response.DECERR)

    def _word(self, register: Register, word: int) -> Value:
        """What a word of a register reads."""
        if register.fixed is not None:
            return Const(register.fixed_value(self._config), LITE_DATA_BITS)
        if register.fields:
            read = {
                field.bit: self._signal(field.holder, field.name)
                for field in register.fields
                if field.access != "pulse"
            }
            return Cat(read.get(bit, Const(0, 1)) for bit in range(LITE_DATA_BITS))
        low = word * LITE_DATA_BITS
        return self._signal(register.holder, register.member)[low : low + LITE_DATA_BITS]
