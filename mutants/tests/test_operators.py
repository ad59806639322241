"""What each operator makes of a piece of source, all of it written out here."""

import ast

import pytest

from mutants.operators import OPERATORS, changes

MADE = {
    ("arithmetic", "a + b - c"): ["(a + b + c)", "(a - b)"],
    ("logic", "(a & b) | c"): ["(a & b & c)", "(a | b)"],
    ("equality", "a == b"): ["(a != b)"],
    ("order", "a < b, a >= b, a != b"): ["(a <= b)", "(a > b)"],
    ("inversion", "~a & b"): ["(a)"],
    ("arms", "Mux(a, b, c)"): ["Mux(a, c, b)"],
    ("constant", "a + 2"): ["0", "1", "3"],
    ("constant", "a[0]"): ["1"],
    ("constant", "Signal(b, src_loc_at=1)"): [],
    ("constant", "Signal(8, init=3)"): ["0", "7", "0", "2", "4"],
    ("constant", "Memory(shape=8, depth=3)"): ["0", "7", "0", "2", "4"],
    ("constant", "f'name_{a + 1}'"): [],
    ("constant", "a if True else 'text'"): [],
    ("dropped", "[a.eq(b), c.eq(d)]"): ["()", "()"],
    ("dropped", "wiring.connect(m, a, b)"): ["pass"],
    ("dropped", "m.next = 'IDLE'"): ["pass"],
    ("condition", "m.If(a & b)"): ["(a & b) == 0", "1", "0"],
    ("domain", "m.d.sync += a"): ["m.d.comb"],
    ("domain", "m.d.comb += a"): ["m.d.sync"],
    ("slice", "a[low:high]"): ["(low) + 1", "(high) - 1"],
    ("slice", "a[:3]"): [],
    ("width", "Signal(bits + 1, name='a')"): ["(bits + 1) - 1"],
    ("width", "Signal(range(most + 1))"): ["range((most + 1) + 1 >> 1)"],
    ("width", "Signal()"): [],
    ("width", "Signal(1)"): [],
    ("init", "Signal(bits)"): ["Signal(bits, init=1)"],
    ("init", "Signal.like(a)"): ["Signal.like(a, init=1)"],
    ("init", "Signal(reset_less=True), Signal(init=3)"): [],
}


@pytest.mark.parametrize(("operator", "text"), MADE)
def test_what_it_makes(operator: str, text: str) -> None:
    (statement,) = ast.parse(text).body
    made = [after for name, _, after in changes(statement) if name == operator]
    assert made == MADE[operator, text]


def test_every_operator_is_tested() -> None:
    assert {operator for operator, _ in MADE} == OPERATORS.keys()


@pytest.mark.parametrize("most", range(1, 40))
def test_a_range_is_a_bit_narrower(most: int) -> None:
    (statement,) = ast.parse(f"Signal(range({most} + 1))").body
    (narrower,) = [after for name, _, after in changes(statement) if name == "width"]
    bits = (len(eval(narrower)) - 1).bit_length()
    assert bits == most.bit_length() - 1
