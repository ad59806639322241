import gzip
from itertools import product
from pathlib import Path

import pytest

from synth.liberty import _evaluate, read_library

INVERTER = """\
  cell (INV_X1) {
    area : 0.5;
    pin (Y) {
      function : "!A";
    }
  }
"""
NAND = """\
  cell ("NAND_B") {
    area : 0.8;
    pin (Y) {
      function : "!(A & B)";
    }
  }
"""
FLIP_FLOP = """\
  cell (DFF) {
    area : 4.5;
    ff (IQ, IQN) {
      next_state : "D";
    }
  }
"""


def text(*cells: str) -> str:
    return "/* a comment with cell (NONE) { */\nlibrary (mine) {\n" + "".join(cells) + "}\n"


def write(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


def test_areas_flip_flops_and_gate_equivalents(tmp_path: Path) -> None:
    library = read_library([write(tmp_path / "a.lib", text(INVERTER, NAND, FLIP_FLOP))])
    assert library.name == "mine"
    assert {name: cell.area for name, cell in library.cells.items()} == {
        "INV_X1": 0.5, "NAND_B": 0.8, "DFF": 4.5,
    }  # fmt: skip
    assert [name for name, cell in library.cells.items() if cell.is_flip_flop] == ["DFF"]
    assert library.nand2.name == "NAND_B"
    assert library.gate_equivalents(8.0) == pytest.approx(10)


def test_several_files_are_one_library_and_gzip_is_unpacked(tmp_path: Path) -> None:
    first = tmp_path / "a.lib.gz"
    first.write_bytes(gzip.compress(text(INVERTER, FLIP_FLOP).encode()))
    second = write(tmp_path / "b.lib", text(NAND).replace("mine", "other"))
    library = read_library([first, second])
    assert library.name == "mine"
    assert set(library.cells) == {"INV_X1", "NAND_B", "DFF"}


@pytest.mark.parametrize(
    ("function", "is_nand2"),
    [
        ("!(A & B)", True), ("(A*B)'", True), ("!A + !B", True), ("(!A) | (!B)", True),
        ("!(A B)", True), ("A' + B'", True), ("!(A & !B)", False), ("!(A | B)", False),
        ("A & B", False), ("!(A & B & C)", False), ("A ^ B", False), ("!A", False), ("1", False),
    ],
)  # fmt: skip
def test_a_nand2_is_known_by_its_function(tmp_path: Path, function: str, is_nand2: bool) -> None:
    path = write(tmp_path / "a.lib", text(NAND.replace("!(A & B)", function), FLIP_FLOP))
    if is_nand2:
        assert read_library([path]).nand2.name == "NAND_B"
    else:
        with pytest.raises(ValueError, match="holds 2 cells but no two-input NAND"):
            read_library([path])


def test_functions_bind_as_liberty_says() -> None:
    for a, b, c in product((False, True), repeat=3):
        values = {"A": a, "B": b, "C": c}
        assert _evaluate("A + B C", values) == (a or (b and c))
        assert _evaluate("A & B ^ C", values) == (a and (b != c))
        assert _evaluate("!A B' | C", values) == ((not a and not b) or c)
        assert _evaluate("!(A | !B)''", values) == (not (a or not b))
    for broken in ("A &", "(A"):
        with pytest.raises(ValueError, match="the function"):
            _evaluate(broken, {"A": True})


def test_bad_files_are_refused_in_a_sentence(tmp_path: Path) -> None:
    cut = tmp_path / "cut.lib.gz"
    cut.write_bytes(gzip.compress(text(NAND, FLIP_FLOP).encode())[:-20])
    noise = tmp_path / "noise.lib"
    noise.write_bytes(bytes(range(128, 256)))
    for path, rule in (
        (cut, "is a gzip file that cannot be unpacked"),
        (noise, "is not Liberty: byte 0 is no text"),
        (
            write(tmp_path / "v.lib", "module top; endmodule\n"),
            "is not Liberty: it holds no library",
        ),
        (write(tmp_path / "f.lib", text(NAND)), "holds 1 cells but no flip-flop"),
        (
            write(tmp_path / "n.lib", text(INVERTER, FLIP_FLOP)),
            "holds 2 cells but no two-input NAND",
        ),
        (
            write(tmp_path / "o.lib", text(FLIP_FLOP).replace("area", "arena")),
            "cell DFF has no area",
        ),
    ):
        with pytest.raises(ValueError, match=rule):
            read_library([path])
    with pytest.raises(FileNotFoundError):
        read_library([tmp_path / "missing.lib"])
    with pytest.raises(ValueError, match="0 Liberty files are given"):
        read_library([])
