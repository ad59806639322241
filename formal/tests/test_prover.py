"""The prover finds what is false, in the cycle in which it is, and says where it finds nothing."""

import pytest
from amaranth.hdl import Assert, Assume, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from formal.blocks.stream_fork import PROOF
from formal.proof import Proof
from formal.prover import RefutedError, UndecidedError, prove
from hw.blocks.stream_fork import StreamFork


class Counter(wiring.Component):
    """Counts ``step``, which is 0 or 1 where it is assumed to be; never reaches ``bound``."""

    def __init__(self, bound: int, most: int, *, assumed: bool = True):
        self._bound, self._most, self._assumed = bound, most, assumed
        super().__init__({"step": In(2)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = Signal(8)
        with m.If(count < self._most):
            m.d.sync += count.eq(count + self.step)
        m.d.comb += Assert(count != self._bound)
        if self._assumed:
            m.d.comb += Assume(self.step <= 1)
        return m


class Products(wiring.Component):
    """Two ways to multiply: true, but not within a second."""

    def __init__(self) -> None:
        super().__init__({"a": In(24), "b": In(24)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += Assert((self.a * self.b)[20:28] == (self.b * self.a + 0)[20:28])
        shifted = sum(((self.a << bit) & self.b[bit].replicate(48)) for bit in range(24))
        m.d.comb += Assert((self.a * self.b) == shifted[:48])
        return m


def test_what_holds_is_proven() -> None:
    assert prove(Counter(6, 5)).clauses > 0


def test_what_can_fail_is_refuted_in_its_first_cycle() -> None:
    with pytest.raises(RefutedError, match="fails 5 cycles after the first state"):
        prove(Counter(5, 9))
    with pytest.raises(RefutedError, match="fails 2 cycles after the first state"):
        prove(Counter(6, 9, assumed=False))


def test_an_assumption_counts() -> None:
    with pytest.raises(RefutedError):
        prove(Counter(7, 5, assumed=False))
    prove(Counter(7, 5))


def test_no_proof_in_time_is_none() -> None:
    with pytest.raises(UndecidedError, match="no proof in 1 s"):
        prove(Products(), seconds=1)


def test_a_break_that_is_not_in_the_source_is_an_error() -> None:
    proof = Proof(
        StreamFork, "", PROOF.properties, (("no such text", ""), ("m.d.comb", "m.d.sync"))
    )
    for number in range(2):
        with pytest.raises(ValueError, match="times in StreamFork; it must occur once"):
            proof.broken_component(number)
