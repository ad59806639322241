"""Joined modules: paths from register to register, through the modules that they cross."""

import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.emit.verilog import modules_of
from synth.builtin import builtin_library
from synth.flow import TOP, map_design
from synth.joined import join
from synth.mapped import MappedDesign
from synth.mapping import Flow

BITS = 24


class Adder(wiring.Component):
    """A sum, not registered: its path goes on behind its port."""

    def __init__(self) -> None:
        super().__init__({"a": In(BITS), "b": In(BITS), "sum": Out(BITS)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.sum.eq(self.a + self.b)
        return m


class Chain(wiring.Component):
    """Adders one behind the other, between registers."""

    def __init__(self, adders: int):
        self._adders = adders
        super().__init__({"data": In(BITS), "result": Out(BITS)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        first = Signal(BITS)
        m.d.sync += first.eq(self.data)
        value = first
        for number in range(self._adders):
            m.submodules[f"adder_{number}"] = adder = Adder()
            m.d.comb += [adder.a.eq(value), adder.b.eq(Cat(value[5:], value[:5]))]
            value = adder.sum
        m.d.sync += self.result.eq(value)
        return m


class Table(wiring.Component):
    """A memory whose word is added up on its way to a register, and its address on its way in."""

    def __init__(self, *, short_word: bool = False):
        self._short = short_word
        super().__init__({"a": In(6), "b": In(6), "word": In(BITS), "result": Out(BITS)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=BITS, depth=64, init=[])
        m.submodules.adder = adder = Adder()
        read, write = memory.read_port(), memory.write_port()
        m.d.comb += [
            read.addr.eq(self.a + self.b),
            write.addr.eq(self.b),
            write.data.eq(self.word),
            write.en.eq(1),
            adder.a.eq(read.data),
            adder.b.eq(Cat(read.data[5:], read.data[:5])),
        ]
        m.d.sync += self.result.eq(read.data if self._short else adder.sum)
        return m


def mapped(component: wiring.Component, period_ns: float = 1.0) -> MappedDesign:
    return map_design(
        modules_of(component, TOP), builtin_library(), flow=Flow(period_ns), with_netlist=True
    )


def test_a_path_crosses_modules() -> None:
    """Each adder more makes it longer, by less than an adder alone: low bits do not wait."""
    one, three = mapped(Chain(1), 9.0), mapped(Chain(3), 9.0)
    alone = max(module.path.delay for module in three.modules.values() if module.path)
    short, long = join(one), join(three)
    assert short.path.delay == pytest.approx(alone, rel=0.2)
    assert 1.3 * alone < long.path.delay < 3.3 * alone
    assert long.path.start.net.split()[0] in ("first", "a")  # two names of one net
    assert long.path.end.net.startswith("result [")


def test_its_area_is_the_modules() -> None:
    """Where nothing has to be faster: cells are those of the modules, counted by instances."""
    design = mapped(Chain(3), 9.0)
    assert join(design).area == pytest.approx(design.area, rel=0.02)
    assert design.instances[f"{TOP}.adder_0"] == 3


def test_a_memory_ends_and_begins_paths() -> None:
    """A word is added up after it, on the longest path; an address before it, on another."""
    assert join(mapped(Table(), 9.0)).path.end.net.startswith("result [")
    assert join(mapped(Table(short_word=True), 9.0)).path.end.net.endswith(" RD_ADDR")


def test_without_netlists_nothing_is_joined() -> None:
    design = map_design(modules_of(Adder(), TOP), builtin_library())
    with pytest.raises(ValueError, match="joined from its netlists"):
        join(design)
