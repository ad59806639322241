"""Control registers: every word of the register map, as the table and its page say."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from amaranth.hdl import Assert, Assume, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from formal.proof import Proof
from formal.streams import as_stream, keeps_its_offer
from hw.bus.axi import LITE_ADDRESS_BITS, LITE_DATA_BITS, Axi4Lite, Response
from hw.bus.axi_lite import ControlRegisters
from hw.bus.register import WORD_BYTES, Field, Register
from hw.bus.registers import REGISTERS
from hw.config import PRESETS

_CONFIG = replace(PRESETS["tiny"], address_bits=34)
"""Addresses have bits in both words, and bits that do not exist in both."""
_ALL_ONES = (1 << LITE_DATA_BITS) - 1
_CHANNELS = {
    "aw": ("awaddr", "awprot"), "w": ("wdata", "wstrb"), "ar": ("araddr", "arprot"),
    "b": ("bresp",), "r": ("rdata", "rresp"),
}  # fmt: skip


class _Properties(wiring.Component):
    """The map once more: what each word holds follows from the table and the accepted transfers.

    What the order holds is compared with what it held a cycle before and what was written then;
    what the block keeps to itself is kept here too.
    """

    def __init__(self, unit: Any):
        self._unit = unit(_CONFIG)
        self._inputs = [
            name for name, member in self._unit.signature.members.items()
            if member.flow is In and name != "bus"
        ]  # fmt: skip
        members = self._unit.signature.members
        super().__init__(
            {
                "bus": In(Axi4Lite()),
                **{name: members[name] for name in self._inputs},
                "reached": Out(4),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        bus = unit.bus
        wiring.connect(m, wiring.flipped(self.bus), bus)
        m.d.comb += [getattr(unit, name).eq(getattr(self, name)) for name in self._inputs]
        for channel, payload in _CHANNELS.items():
            self._keeps(m, channel, Cat(getattr(bus, name) for name in payload))
        self._own = {
            field.name: Signal(name=f"own_{field.name}")
            for register in REGISTERS
            for field in register.fields
            if field.holder == "block"
        }
        m.d.comb += [
            Assert(unit.busy == self._own["busy"]),
            Assert(
                unit.irq == (self._own["pending"] & self._own["interrupt_enable"] & ~unit.start)
            ),
        ]
        acts = self._writes(m)
        self._reads(m)
        start = unit.start
        m.d.comb += self.reached.eq(
            Cat(start, acts & unit.busy, bus.rvalid & bus.bvalid, bus.rvalid & bus.rdata.all())
        )
        return m

    def _keeps(self, m: Module, channel: str, payload: Value) -> None:
        """The rule of every channel: an offer stays."""
        bus = self._unit.bus
        valid, ready = (getattr(bus, f"{channel}{end}") for end in ("valid", "ready"))
        port = as_stream(m, valid, ready, payload)
        keeps_its_offer(m, port, Assert if channel in ("b", "r") else Assume)

    def _words(self) -> Iterator[tuple[Register, int, int]]:
        """Each word: its register, its place in it, and its number in the map."""
        for register in REGISTERS:
            for word in range(register.words):
                yield register, word, register.offset // WORD_BYTES + word

    def _value(self, holder: str, name: str) -> Value:
        """What a register or a field holds."""
        if holder == "block":
            return self._own[name]
        return Value.cast(
            self._unit.order[name] if holder == "order" else getattr(self._unit, name)
        )

    def _taken(self, m: Module, channel: str, payload: Value, done: Value) -> tuple[Value, Value]:
        """What a channel has taken, from the next cycle until ``done``; it takes no more then."""
        bus = self._unit.bus
        held, kept = Signal(name=f"{channel}_held"), Signal.like(payload, name=f"{channel}_kept")
        valid, ready = getattr(bus, f"{channel}valid"), getattr(bus, f"{channel}ready")
        m.d.comb += Assert(ready == ~held)
        m.d.sync += held.eq(Mux(held, ~done, valid))
        with m.If(valid & ready):
            m.d.sync += kept.eq(payload)
        return held, kept

    def _answered(self, m: Module, channel: str, acts: Value, answer: Value) -> Value:
        """One response for each request that acts, from the next cycle until it is taken."""
        bus = self._unit.bus
        owed, due = Signal(name=f"{channel}_owed"), Signal.like(answer, name=f"{channel}_due")
        m.d.comb += Assert(getattr(bus, f"{channel}valid") == owed)
        m.d.sync += owed.eq(acts | (owed & ~getattr(bus, f"{channel}ready")))
        with m.If(acts):
            m.d.sync += due.eq(answer)
        with m.If(owed):
            m.d.comb += Assert(Cat(getattr(bus, name) for name in _CHANNELS[channel]) == due)
        return owed

    def _writes(self, m: Module) -> Value:
        """A write acts once address and data are here and no response waits."""
        bus = self._unit.bus
        acts = Signal(name="write_acts")
        has_address, address = self._taken(m, "aw", bus.awaddr, acts)
        has_data, written = self._taken(m, "w", Cat(bus.wdata, bus.wstrb), acts)
        data, strobes = written[:LITE_DATA_BITS], written[LITE_DATA_BITS:]
        strobed = Cat(strobe.replicate(8) for strobe in strobes)
        answer = Signal(Response, init=Response.DECERR)
        for register, word, number in self._words():
            here = address[2:LITE_ADDRESS_BITS] == number
            mask = (register.mask(_CONFIG) >> word * LITE_DATA_BITS) & _ALL_ONES
            refused: Value = (data & strobed & ~Const(mask, LITE_DATA_BITS)).any()
            if register.access == "ro":
                refused = Const(1)
            elif register.access == "rw":
                refused |= self._unit.busy
            with m.If(here):
                m.d.comb += answer.eq(Mux(refused, Response.SLVERR, Response.OKAY))
            writes = acts & here & ~refused
            for field in register.fields:
                self._field(m, field, writes, data[field.bit], strobed[field.bit])
            if register.holder == "order" and not register.fields:
                self._word(m, register, word, writes, data, strobed)
        owed = self._answered(m, "b", acts, Value.cast(answer))
        m.d.comb += acts.eq(has_address & has_data & ~owed)
        return acts

    def _word(
        self, m: Module, register: Register, word: int, writes: Value, data: Value, strobed: Value
    ) -> None:
        """A word of a job register takes the bytes that are strobed."""
        value = self._value("order", register.member)
        value = value[word * LITE_DATA_BITS : (word + 1) * LITE_DATA_BITS]
        due = Signal.like(value, name=f"due_{register.member}_{word}")
        m.d.sync += due.eq(Mux(writes, (data & strobed) | (value & ~strobed), value))
        m.d.comb += Assert(value == due)

    def _field(self, m: Module, field: Field, writes: Value, bit: Value, strobed: Value) -> None:
        """What a field is a cycle later."""
        if field.holder == "engine" and field.access != "pulse":
            return
        value = self._value(field.holder, field.name)
        one, finished, start = writes & strobed & bit, self.finished, self._unit.start
        follows = {
            "busy": (value | start) & ~finished,
            "done": (value & ~start) | finished,
        }
        if field.access == "ro":
            after = follows[field.name]
        else:
            after = {
                "pulse": one,
                "rw": Mux(writes & strobed, bit, value),
                "w1c": (value & ~one & ~start) | finished | self.alarm,
            }[field.access]
        due = value if field.holder == "block" else Signal(name=f"due_{field.name}")
        m.d.sync += due.eq(after)
        m.d.comb += Assert(value == due)

    def _reads(self, m: Module) -> None:
        """A read acts once its address is here and no response waits."""
        acts, answer, high = (
            Signal(name="read_acts"),
            Signal(LITE_DATA_BITS),
            Signal(LITE_DATA_BITS),
        )
        has_address, address = self._taken(m, "ar", self._unit.bus.araddr, acts)
        response = Signal(Response, init=Response.DECERR)
        for register, word, number in self._words():
            with m.If(address[2:] == number):
                m.d.comb += response.eq(Response.OKAY)
                if register.access == "ro" and register.words > 1:
                    value = self._value(register.holder, register.member)
                    m.d.comb += answer.eq(high if word else value[:LITE_DATA_BITS])
                    with m.If(acts & (word == 0)):
                        m.d.sync += high.eq(value[LITE_DATA_BITS:])
                elif register.fixed is not None:
                    m.d.comb += answer.eq(register.fixed_value(_CONFIG))
                elif register.fields:
                    m.d.comb += [
                        answer[field.bit].eq(self._value(field.holder, field.name))
                        for field in register.fields
                        if field.access != "pulse"
                    ]
                else:
                    value = self._value(register.holder, register.member)
                    m.d.comb += answer.eq(value >> word * LITE_DATA_BITS)
        owed = self._answered(m, "r", acts, Cat(answer, response))
        m.d.comb += acts.eq(has_address & ~owed)


PROOF = Proof(
    ControlRegisters,
    f"every word of the register map and every offset beyond it, addresses of"
    f" {_CONFIG.address_bits} bits: offers stay, one response a request and none without one; OKAY,"
    " SLVERR or DECERR as docs/registers.md says; the bytes strobed of a legal write, and nothing"
    " else, change what is held; pulses last a cycle; a counter's LO and HI are of one moment;"
    " busy, done, pending and the interrupt line follow start, finished and alarm",
    _Properties,
    (
        ("bus.awready.eq(~have_address)", "bus.awready.eq(1)"),
        ("have_address & have_data & ~bus.bvalid", "have_address & have_data"),
        ("have_address & have_data & ~bus.bvalid", "have_data & ~bus.bvalid"),
        ("Response, init=Response.DECERR", "Response, init=Response.SLVERR"),
        ("(data & strobed & ~mask).any()", "(data & ~mask).any()"),
        ("(data & strobed & ~mask).any()", "0"),
        ('self.busy if register.access == "rw" else 0', "0"),
        ('self.busy if register.access == "rw" else 0', "self.busy"),
        ("act & ~refused", "act"),
        ("self.finished | self.alarm", "self.finished"),
        (', own["pending"].eq(0)]', "]"),
        ('own["interrupt_enable"] & ~self.start', 'own["interrupt_enable"]'),
        ("(value & ~bits) | (data[first:end] & bits)", "data[first:end]"),
        ("m.d.sync += value.eq(one)", "m.d.sync += value.eq(data[field.bit])"),
        ("m.d.sync += bus.rresp.eq(Response.DECERR)", "m.d.sync += bus.rresp.eq(Response.SLVERR)"),
        ("bus.rdata.eq(counter_high)", "bus.rdata.eq(self._word(register, word))"),
        ("have_address & ~bus.rvalid", "have_address"),
        ('if field.access != "pulse"', "if True"),
        ("m.d.comb += response.eq(Response.SLVERR)", "m.d.comb += response.eq(Response.OKAY)"),
    ),
    ("a job starts", "a write acts while busy", "both responses wait", "a read gives all ones"),
    slow=True,
)
