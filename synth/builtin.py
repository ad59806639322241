"""The library that is used when no Liberty file is given: a small one, with Nangate45's areas.

Areas are the published ones of the Nangate 45 nm Open Cell Library's cells; the delays are of our
own and simple: a cell's own delay, and one that grows with its load, of the size of a 45 nm
process. Good for a first look and for tests; a figure worth quoting names a real library. It holds
those cells with which each unit of the demo engine is within 10 % of Nangate45's own area
(docs/libraries.md): a choice made on that design. Between cells of equal area ABC's is near a
toss-up: with an AOI221 the quantiser's unpacker is 11 % larger than Nangate45's, without it equal.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from synth.liberty import Library, read_library

NAME = "orbis_builtin_45nm"
_PIN_FF = 1.6
"""Capacitance of every input pin, fF."""
_LOADS_FF = (0.0, 60.0)
_SLEWS_NS = (0.0, 0.2)


@dataclass(frozen=True)
class _Gate:
    """A combinational cell: area in um2, own delay in ps, ps that a fF of load adds."""

    name: str
    area: float
    function: str
    delay: float
    resistance: float

    @property
    def inputs(self) -> list[str]:
        return sorted({letter for letter in self.function if letter.isalnum()})


_GATES = (
    _Gate("INV_X1", 0.532, "!A", 6, 2.4),
    _Gate("BUF_X1", 0.798, "A", 18, 2.4),
    _Gate("BUF_X4", 1.862, "A", 22, 0.6),
    _Gate("NAND2_X1", 0.798, "!(A & B)", 9, 2.8),
    _Gate("NAND3_X1", 1.064, "!(A & B & C)", 13, 3.2),
    _Gate("NAND4_X1", 1.330, "!(A & B & C & D)", 17, 3.6),
    _Gate("NOR2_X1", 0.798, "!(A | B)", 12, 4.2),
    _Gate("NOR3_X1", 1.064, "!(A | B | C)", 20, 6.0),
    _Gate("NOR4_X1", 1.330, "!(A | B | C | D)", 28, 7.8),
    _Gate("AND2_X1", 1.064, "(A & B)", 24, 2.4),
    _Gate("OR2_X1", 1.064, "(A | B)", 30, 2.4),
    _Gate("XOR2_X1", 1.596, "(A ^ B)", 30, 4.2),
    _Gate("XNOR2_X1", 1.596, "!(A ^ B)", 30, 4.2),
    _Gate("AOI21_X1", 1.064, "!(A | (B & C))", 15, 4.2),
    _Gate("OAI21_X1", 1.064, "!(A & (B | C))", 15, 3.6),
    _Gate("AOI22_X1", 1.330, "!((A & B) | (C & D))", 20, 4.2),
    _Gate("OAI22_X1", 1.330, "!((A | B) & (C | D))", 20, 4.2),
    _Gate("AOI211_X1", 1.330, "!((A & B) | C | D)", 26, 6.0),
    _Gate("OAI211_X1", 1.330, "!((A | B) & C & D)", 18, 3.6),
    _Gate("OAI221_X1", 1.596, "!((A | B) & (C | D) & E)", 24, 4.2),
    _Gate("AOI222_X1", 2.128, "!((A & B) | (C & D) | (E & F))", 38, 6.0),
    _Gate("OAI222_X1", 2.128, "!((A | B) & (C | D) & (E | F))", 30, 4.2),
    _Gate("OAI33_X1", 1.862, "!((A | B | C) & (D | E | F))", 40, 6.0),
    _Gate("AND3_X1", 1.330, "(A & B & C)", 28, 2.4),
    _Gate("OR3_X1", 1.330, "(A | B | C)", 38, 2.4),
    _Gate("AND4_X1", 1.596, "(A & B & C & D)", 32, 2.4),
    _Gate("MUX2_X1", 1.862, "((S & B) | (A & !S))", 40, 2.4),
)
_FULL_ADDER_AREA = 4.256
_FLIP_FLOP_AREA = 4.522
_CLOCK_TO_Q_PS = 80
_CLOCK_TO_Q_RESISTANCE = 2.4


def write_builtin(path: Path) -> None:
    """Write the built-in library as a Liberty file."""
    path.write_text("\n".join(_lines()) + "\n")


def builtin_library() -> Library:
    """The built-in library, read from its Liberty text as any other is."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "builtin.lib"
        write_builtin(path)
        return read_library([path])


def _lines() -> Iterator[str]:
    yield f"library ({NAME}) {{"
    yield '  time_unit : "1ns";'
    yield '  voltage_unit : "1V";'
    yield '  current_unit : "1mA";'
    yield '  leakage_power_unit : "1nW";'
    yield '  pulling_resistance_unit : "1kohm";'
    yield "  capacitive_load_unit (1, ff);"
    yield "  lu_table_template (delay) {"
    yield "    variable_1 : input_net_transition;"
    yield "    variable_2 : total_output_net_capacitance;"
    yield f'    index_1 ("{_SLEWS_NS[0]}, {_SLEWS_NS[1]}");'
    yield f'    index_2 ("{_LOADS_FF[0]}, {_LOADS_FF[1]}");'
    yield "  }"
    for gate in _GATES:
        yield f"  cell ({gate.name}) {{"
        yield f"    area : {gate.area};"
        for pin in gate.inputs:
            yield from _input(pin)
        yield "    pin (Z) {"
        yield "      direction : output;"
        yield f'      function : "{gate.function}";'
        for pin in gate.inputs:
            yield from _arc(pin, "combinational", gate.delay, gate.resistance)
        yield "    }"
        yield "  }"
    yield "  cell (FA_X1) {"
    yield f"    area : {_FULL_ADDER_AREA};"
    for pin in ("A", "B", "CI"):
        yield from _input(pin)
    for pin, function in (("CO", "(A & B) | (CI & (A | B))"), ("S", "A ^ B ^ CI")):
        yield f"    pin ({pin}) {{"
        yield "      direction : output;"
        yield f'      function : "{function}";'
        yield "    }"
    yield "  }"
    yield "  cell (DFF_X1) {"
    yield f"    area : {_FLIP_FLOP_AREA};"
    yield "    ff (IQ, IQN) {"
    yield '      next_state : "D";'
    yield '      clocked_on : "CK";'
    yield "    }"
    yield from _input("D")
    yield from _input("CK", "      clock : true;")
    yield "    pin (Q) {"
    yield "      direction : output;"
    yield '      function : "IQ";'
    yield from _arc("CK", "rising_edge", _CLOCK_TO_Q_PS, _CLOCK_TO_Q_RESISTANCE)
    yield "    }"
    yield "  }"
    yield "}"


def _input(pin: str, *more: str) -> Iterator[str]:
    yield f"    pin ({pin}) {{"
    yield "      direction : input;"
    yield f"      capacitance : {_PIN_FF};"
    yield from more
    yield "    }"


def _arc(pin: str, kind: str, delay: float, resistance: float) -> Iterator[str]:
    """A timing arc: the same for either edge and for any slew."""
    row = ", ".join(f"{(delay + resistance * load) / 1000:.4f}" for load in _LOADS_FF)
    yield "      timing () {"
    yield f'        related_pin : "{pin}";'
    yield f"        timing_type : {kind};"
    for table in ("cell_rise", "cell_fall", "rise_transition", "fall_transition"):
        yield f'        {table} (delay) {{ values ("{row}", "{row}"); }}'
    yield "      }"
