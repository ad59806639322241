"""The prover finds what is false, in the cycle in which it is, and says where it finds nothing."""

import pytest
from amaranth.hdl import Assert, Assume, Cat, Const, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from formal.blocks.stream_fork import PROOF
from formal.proof import Proof
from formal.prover import RefutedError, UndecidedError, prove, reach, refute
from hw.blocks.stream_fork import StreamFork


class Counter(wiring.Component):
    """Counts ``step``, which is 0 or 1 where it is assumed to be; never reaches ``bound``."""

    def __init__(self, bound: int, most: int, *, assumed: bool = True):
        self._bound, self._most, self._assumed = bound, most, assumed
        super().__init__({"step": In(2), "reached": Out(2)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = Signal(8)
        with m.If(count < self._most):
            m.d.sync += count.eq(count + self.step)
        m.d.comb += Assert(count != self._bound)
        m.d.comb += self.reached.eq(Cat(count == self._bound - 1, count == self._bound + 1))
        if self._assumed:
            m.d.comb += Assume(self.step <= 1)
        return m


class Remembers(wiring.Component):
    """A memory and a register without a reset, and whether both are 0 before they are written."""

    def __init__(self, *, written: bool | None):
        self._written = written
        super().__init__({"value": In(2), "put": In(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=2, depth=2, init=[])
        write, read = memory.write_port(), memory.read_port(domain="comb")
        kept, written = Signal(2, reset_less=True), Signal()
        m.d.comb += [write.en.eq(self.put), write.data.eq(self.value & 1)]
        with m.If(self.put):
            m.d.sync += [kept.eq(self.value & 1), written.eq(1)]
        if self._written is not None:
            known = written if self._written else Const(1)
            m.d.comb += Assert(~known | ((kept < 2) & (read.data < 2)))
        return m


class Delayed(wiring.Component):
    """A value two cycles later, in two ways; or a register that nothing changes."""

    def __init__(self, *, constant: bool = False):
        self._constant = constant
        super().__init__({"value": In(2)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages = [Signal(2, name=f"stage_{number}") for number in range(4)]
        m.d.sync += [stages[0].eq(self.value), stages[2].eq(self.value + 1)]
        m.d.sync += [stages[1].eq(stages[0]), stages[3].eq(stages[2] - 1)]
        constant = Signal(2)
        m.d.sync += constant.eq(constant)
        m.d.comb += Assume(~ResetSignal())
        m.d.comb += Assert(constant == 0 if self._constant else stages[1] == stages[3])
        return m


class Products(wiring.Component):
    """Two ways to multiply: true, but not within a second."""

    def __init__(self) -> None:
        super().__init__({"a": In(24), "b": In(24)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        product = Signal(48)
        m.d.sync += product.eq(self.a * self.b)
        before = Signal(48)
        m.d.sync += before.eq(
            sum(((self.a << bit) & self.b[bit].replicate(48)) for bit in range(24))
        )
        m.d.comb += Assert(product == before)
        return m


def test_what_holds_is_proven() -> None:
    assert prove(Counter(6, 5)).clauses > 0


def test_what_can_fail_is_refuted() -> None:
    with pytest.raises(RefutedError, match=r"fails [67] cycles after the reset"):
        prove(Counter(5, 9))
    with pytest.raises(RefutedError):
        prove(Counter(6, 9, assumed=False))


def test_a_fault_is_found_however_late() -> None:
    """Beyond what is searched cycle by cycle, too."""
    refute(Counter(5, 9))
    refute(Counter(200, 255, assumed=False))
    with pytest.raises(AssertionError, match="no assertion can fail"):
        refute(Counter(6, 5))


def test_a_window_knows_the_last_cycles_alone() -> None:
    prove(Delayed(), window=2)
    with pytest.raises(RefutedError):
        prove(Delayed(), window=1)
    with pytest.raises(RefutedError):
        prove(Delayed(constant=True), window=2)
    prove(Delayed(constant=True))


def test_nothing_is_known_before_the_reset() -> None:
    """What a memory holds, and a register without a reset, may be anything."""
    prove(Remembers(written=True))
    with pytest.raises(RefutedError):
        prove(Remembers(written=False))


def test_what_cannot_come_is_told() -> None:
    counter = Counter(6, 5)
    reach(counter, 0)
    with pytest.raises(AssertionError, match="bit 1 of reached is never 1"):
        reach(Counter(6, 5), 1)


def test_no_assertion_is_no_proof() -> None:
    with pytest.raises(UndecidedError, match="it has no assertion"):
        prove(Remembers(written=None))


def test_an_assumption_counts() -> None:
    with pytest.raises(RefutedError):
        prove(Counter(7, 5, assumed=False))
    prove(Counter(7, 5))


def test_no_proof_in_time_is_none() -> None:
    with pytest.raises(UndecidedError, match="no proof in 1 s"):
        prove(Products(), seconds=1)


def test_a_break_that_is_not_in_the_source_is_an_error() -> None:
    breaks = (("no such text", ""), ("m.d.comb", "m.d.sync"))
    proof = Proof(StreamFork, "", PROOF.properties, breaks, ())
    for number in range(len(breaks)):
        with pytest.raises(ValueError, match=r"times in hw.blocks.stream_fork; it must occur once"):
            proof.broken_component(number)


def test_a_name_that_the_unit_does_not_have_is_an_error() -> None:
    proof = Proof(StreamFork, "", PROOF.properties, (), (), instead={"NO_SUCH_BITS": 1})
    with pytest.raises(ValueError, match=r"hw.blocks.stream_fork has no NO_SUCH_BITS"):
        proof.component()
