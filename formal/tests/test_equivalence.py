"""Designs that do the same are proven to, and those that do not are told."""

import pytest
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from formal.blocks.unpacker import PROOF
from formal.equivalence import design_of, prove_equal, prove_equal_under
from formal.prover import RefutedError, UndecidedError
from hw.blocks.unpacker import Unpacker


class Delays(wiring.Component):
    """A stream a cycle later, when a memory of one word has it; always ready every other cycle."""

    def __init__(self, *, spoilt: bool = False, idle: int = 0, width: int = 2):
        self._spoilt, self._idle = spoilt, idle
        signature = stream.Signature(width)
        super().__init__({"i": In(signature), "o": Out(signature)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=len(self.i.payload), depth=1, init=[])
        write, read = memory.write_port(), memory.read_port(domain="comb")
        kept, late = Signal(), Signal(2)
        m.d.comb += [
            self.i.ready.eq(~kept),
            write.en.eq(self.i.valid & self.i.ready),
            write.data.eq(self.i.payload),
            self.o.valid.eq(kept),
            self.o.payload.eq(Mux(kept, read.data, self._idle)),
        ]
        m.d.sync += kept.eq(Mux(kept, ~self.o.ready, self.i.valid))
        with m.If(kept & self.o.ready):
            m.d.sync += late.eq(late + 1)
        if self._spoilt:
            with m.If(late == 3):
                m.d.comb += self.o.payload.eq(~read.data)
        return m


class Adds(wiring.Component):
    """Combinational: the sum, its terms in either order, less something."""

    def __init__(self, order: int, less: int = 0):
        self._order, self._less = order, less
        super().__init__({"a": In(4), "b": In(4), "sum": Out(5)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        a, b = (self.a, self.b)[:: self._order]
        m.d.comb += self.sum.eq(a + b - self._less)
        return m


class Multiplies(wiring.Component):
    """A product, or another way to it."""

    def __init__(self, *, plainly: bool):
        self._plainly = plainly
        super().__init__({"a": In(10), "b": In(10), "product": Out(20)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shifted = sum((self.a << bit) & self.b[bit].replicate(20) for bit in range(10))
        m.d.sync += self.product.eq(self.a * self.b if self._plainly else shifted)
        return m


def changed(old: str, new: str) -> str:
    """The unpacker's source with a part of it in another form."""
    assert PROOF.source.count(old) == 1
    return PROOF.source.replace(old, new)


def check(one: wiring.Component, other: wiring.Component, seconds: int = 30) -> None:
    prove_equal(design_of(one, "one"), design_of(other, "other"), seconds)


def test_the_same_is_equal() -> None:
    check(Delays(), Delays())


def test_a_payload_that_nobody_takes_may_differ() -> None:
    check(Delays(), Delays(idle=1))


def test_what_differs_late_is_told() -> None:
    with pytest.raises(RefutedError, match=r"fails \d+ cycles after the reset"):
        check(Delays(), Delays(spoilt=True))


def test_designs_without_a_clock() -> None:
    check(Adds(1), Adds(-1))
    with pytest.raises(RefutedError):
        check(Adds(1), Adds(1, less=1))


def test_what_is_not_found_is_told() -> None:
    with pytest.raises(UndecidedError, match="no proof in 1 s"):
        check(Multiplies(plainly=True), Multiplies(plainly=False), 1)


def test_other_ports_are_refused() -> None:
    with pytest.raises(ValueError, match="not the same ports"):
        check(Delays(), Delays(width=3))


def test_a_difference_that_a_proof_rules_out_is_none() -> None:
    """A length without its register does the same, since it is given a cycle before a row."""
    early = changed("m.d.sync += last_index", "m.d.comb += last_index")
    prove_equal_under(PROOF, early)
    with pytest.raises(RefutedError):
        check(Unpacker(8, 2, 7), PROOF.made_of(early)(8, 2, 7))


def test_a_difference_under_a_proof_is_told() -> None:
    with pytest.raises(RefutedError):
        prove_equal_under(PROOF, changed("index.eq(index + 1)", "index.eq(index + 2)"))
