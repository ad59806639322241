"""Verilog that says its widths and branches outright means what it meant: proofs by Yosys' SAT."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.config import PRESETS
from hw.emit.plain import write_plainly
from hw.emit.rtlil import Process, RtlilModule, to_text
from hw.emit.verilog import modules_of, to_verilog
from hw.pair.least_two import LeastTwo
from synth import yosys


class _Expressions(wiring.Component):
    """Operators on operands of unlike widths and signs; results narrower and wider than them."""

    def __init__(self) -> None:
        super().__init__({"a": In(5), "b": In(signed(3)), "c": In(9), "s": In(2), "y": Out(400)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        a, b, c, s = self.a, self.b, self.c, self.s
        results: list[Value] = [
            a + b, a - c, b - a, a * b, c * c, a & c, b | c, a ^ b, ~b, -b, -a,
            a == c, b == a, b != c, a < c, b < a, b <= c, c > b, a >= b, c == 3, a != 0,
            a << s, b << s, c >> s, b >> s, c >> a[:3], (c >> s)[:3], (b >> s)[:1],
            c.bit_select(s, 4), c.word_select(s, 3), Mux(s[0], a, b), (a + b)[:3], (c - a)[:2],
        ]  # fmt: skip
        m.d.comb += self.y.eq(Cat(results))
        return m


class _Branches(wiring.Component):
    """If, Elif and Else, switches with and without a default, one inside another."""

    def __init__(self) -> None:
        super().__init__({"a": In(5), "c": In(9), "s": In(2), "z": Out(12)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        z = self.z
        with m.If(self.a[0]):
            m.d.comb += z.eq(1)
        with m.Elif(self.a[1]):
            with m.If(self.c[0]):
                m.d.comb += z[:4].eq(2)
            with m.Elif(self.c[1]):
                m.d.comb += z.eq(3)
        with m.Elif(self.a[2] & self.c[2]), m.Switch(self.s):
            with m.Case(1):
                m.d.comb += z.eq(4)
            with m.Case(0, 3):
                m.d.comb += z.eq(self.c)
        with m.Else(), m.Switch(self.c):
            with m.Case("1-------0"):
                m.d.comb += z.eq(5)
            with m.Case("--11-----"):
                m.d.comb += z.eq(6)
            with m.Default():
                m.d.comb += z.eq(7)
        with m.If(self.c[8]):
            m.d.comb += z[11].eq(1)
        return m


def renamed(modules: list[RtlilModule], name: str) -> str:
    (module,) = modules
    module.name = f"\\{name}"
    return to_text([module])


def prove(component: wiring.Component, folder: Path) -> None:
    """The component as Amaranth wrote it, and written plainly, give the same for every input."""
    before = modules_of(component, "top")
    after = deepcopy(before)
    for module in after:
        write_plainly(module)
    (folder / "before.il").write_text(renamed(before, "before"))
    (folder / "after.il").write_text(renamed(after, "after"))
    yosys.run(
        [
            "read_rtlil before.il",
            "read_rtlil after.il",
            "proc",
            "miter -equiv -flatten -make_outputs before after both",
            "sat -verify -prove trigger 0 -show-ports both",
        ],
        folder,
    )


@pytest.mark.parametrize("make", [_Expressions, _Branches])
def test_the_meaning_stays(make: Any, tmp_path: Path) -> None:
    prove(make(), tmp_path)


def test_a_changed_meaning_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard on the proofs: signed operands that are extended by zeros are told."""
    monkeypatch.setattr(
        "hw.emit.plain._resized", lambda bits, width, _: bits[:width] + ["0"] * (width - len(bits))
    )
    with pytest.raises(yosys.YosysError):
        prove(_Expressions(), tmp_path)


def test_every_switch_has_a_last_branch_and_if_is_one_condition() -> None:
    (module,) = modules_of(_Branches(), "top")
    write_plainly(module)
    lines = [
        line.strip() for item in module.items if isinstance(item, Process) for line in item.text
    ]
    switches = [line.split(None, 1)[1] for line in lines if line.startswith("switch")]
    wide = [signal for signal in switches if len(module.bits(signal)) > 1]
    assert len(wide) == 2
    assert lines.count("case") >= len(wide)


def test_wires_that_nobody_reads_are_left_out() -> None:
    text = to_verilog(LeastTwo(PRESETS["tiny"]), "least_two")
    assert "[-1:0]" not in text
    (module,) = modules_of(LeastTwo(PRESETS["tiny"]), "least_two")
    wires = len(module.wires)
    write_plainly(module)
    assert len(module.wires) < wires
    assert {wire.name for wire in module.ports} == {
        wire.name for wire in modules_of(LeastTwo(PRESETS["tiny"]), "least_two")[0].ports
    }


def test_a_wire_of_no_bits_is_left_out() -> None:
    class Empty(wiring.Component):
        def __init__(self) -> None:
            super().__init__({"a": In(2), "y": Out(2)})

        def elaborate(self, platform: object) -> Module:
            m = Module()
            place = Signal(range(1))
            m.d.sync += place.eq(place + 1)
            m.d.comb += self.y.eq(Mux(self.a == 1, self.a + ~place, self.a ^ place))
            return m

    assert "[-1:0]" not in to_verilog(Empty(), "empty")
