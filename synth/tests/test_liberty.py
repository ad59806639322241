import gzip
import random
from itertools import product
from pathlib import Path

import pytest

from synth.builtin import write_builtin
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
    for broken in ("A &", "(A", "& A", "A | *", ")", "B"):
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


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("!(A & B)", "!" * 5000 + "(A & B)", "nested too deeply"),
        ("!(A & B)", "A | & B", "has & in place of an operand"),
        ("!(A & B)", "!(A & B", "lacks a closing parenthesis"),
        ("0.8", "0.8.1", "could not convert string to float: '0.8.1'"),
    ],
)
def test_a_broken_cell_is_named_with_its_file(
    tmp_path: Path, old: str, new: str, rule: str
) -> None:
    path = write(tmp_path / "a.lib", text(NAND.replace(old, new), FLIP_FLOP))
    with pytest.raises(ValueError, match=rf"a\.lib: cell NAND_B: .*{rule}\.$"):
        read_library([path])


SIGNS = b"(){}\":;!&|^*+'0123456789.eE-AB \n\xe9"


def mutated(whole: bytes, seed: int) -> bytes:
    """A library in which some bytes went wrong; gzipped before or not."""
    rng = random.Random(seed)
    content = bytearray(gzip.compress(whole, mtime=0) if seed % 3 == 0 else whole)
    for _ in range(rng.randint(1, 40)):
        content[rng.randrange(len(content))] = rng.choice(SIGNS)
    return bytes(content[: rng.choice([len(content), rng.randrange(len(content))])])


def test_a_mutated_library_is_read_or_refused(tmp_path: Path) -> None:
    write_builtin(tmp_path / "whole.lib")
    whole, path = (tmp_path / "whole.lib").read_bytes(), tmp_path / "a.lib"
    refusals = []
    for seed in range(400):
        path.unlink(missing_ok=True)
        path.write_bytes(mutated(whole, seed))
        try:
            library = read_library([path])
        except ValueError as error:
            refusals.append(str(error))
        else:
            assert library.nand2.area <= max(cell.area for cell in library.cells.values())
    assert 200 < len(refusals) < 400
    assert all(str(path) in refusal for refusal in refusals)
