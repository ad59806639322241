"""Liberty cell libraries: which cells they hold, their areas, and the NAND2 that gates count in.

Only what area accounting needs is read here; Yosys reads the rest from the same files.

Source: Liberty User Guide, `library`, `cell`, `area`, `ff`, `pin` and `function`.
"""

import gzip
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product, zip_longest
from pathlib import Path

_LIBRARY = re.compile(r'^\s*library\s*\(\s*"?([^")\s]+)"?\s*\)', re.MULTILINE)
_CELL = re.compile(r'^\s*cell\s*\(\s*"?([^")\s]+)"?\s*\)\s*\{', re.MULTILINE)
_AREA = re.compile(r"^\s*area\s*:\s*\"?([0-9.eE+-]+)", re.MULTILINE)
_FLIP_FLOP = re.compile(r"^\s*ff\s*\(", re.MULTILINE)
_PIN = re.compile(r'^\s*pin\s*\(\s*"?([^")\s]+)"?\s*\)\s*\{', re.MULTILINE)
_FUNCTION = re.compile(r'^\s*function\s*:\s*"([^"]*)"', re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_NAMES = re.compile(r"\w+")
GZIP = b"\x1f\x8b"
"""How a gzipped file begins."""


Truth = tuple[bool, ...]
"""Values of a function: its inputs, in order, count up from all 0, the last one fastest."""
_NAND2: Truth = (True, True, True, False)
_PARITY3: Truth = tuple(n.bit_count() % 2 == 1 for n in range(8))
_MAJORITY3: Truth = tuple(n.bit_count() >= 2 for n in range(8))


@dataclass(frozen=True)
class FullAdder:
    """A cell that adds three bits: its name, its three input pins, the sum's pin, the carry's."""

    cell: str
    inputs: tuple[str, ...]
    sum: str
    carry: str


@dataclass(frozen=True)
class Cell:
    """A cell: area in um2, whether it is a flip-flop, and its outputs' functions by pin."""

    name: str
    area: float
    is_flip_flop: bool
    functions: dict[str, str]

    def check(self) -> None:
        """Read the functions that its kind is told by.

        Raises:
            ValueError: one that is none.
        """
        if len(self._inputs) in (2, 3):
            try:
                _ = self._truths
            except RecursionError as error:
                raise ValueError("its functions are nested too deeply") from error

    @property
    def is_nand2(self) -> bool:
        """Whether it has one output, the NAND of two inputs that it does not invert."""
        return len(self._inputs) == 2 and self._truths == [_NAND2]

    @property
    def full_adder(self) -> FullAdder | None:
        """Its pins if it is a full adder, whose outputs are not inverted; None of any other."""
        if len(self._inputs) != 3 or len(self.functions) != 2:
            return None
        pins = dict(zip(self._truths, self.functions, strict=True))
        if set(pins) != {_PARITY3, _MAJORITY3}:
            return None
        return FullAdder(self.name, tuple(self._inputs), pins[_PARITY3], pins[_MAJORITY3])

    @property
    def _inputs(self) -> list[str]:
        """The pins that its outputs depend on; none of a flip-flop."""
        if self.is_flip_flop:
            return []
        names = {name for function in self.functions.values() for name in _NAMES.findall(function)}
        return sorted(names - {"0", "1"})

    @property
    def _truths(self) -> list[Truth]:
        """The values of each output's function, in the order of the pins."""
        rows = list(product((False, True), repeat=len(self._inputs)))
        return [
            tuple(_evaluate(function, dict(zip(self._inputs, row, strict=True))) for row in rows)
            for function in self.functions.values()
        ]


@dataclass(frozen=True)
class Library:
    """Cells of one process, from one or several files.

    Attributes:
        name: of the library; of the first one where there are several.
        cells: by name.
        files: what its files hold, as they are.
    """

    name: str
    cells: dict[str, Cell]
    files: tuple[bytes, ...] = field(repr=False)

    @cached_property
    def nand2(self) -> Cell:
        """The smallest two-input NAND: one gate equivalent (GE)."""
        return min((c for c in self.cells.values() if c.is_nand2), key=lambda c: (c.area, c.name))

    @cached_property
    def full_adder(self) -> FullAdder | None:
        """The smallest full adder, None where there is none."""
        cells = sorted(self.cells.values(), key=lambda cell: (cell.area, cell.name))
        return next((cell.full_adder for cell in cells if cell.full_adder), None)

    def area(self, counts: Mapping[str, int]) -> float:
        """Area in um2 of cells that are given by name and number; other names count nothing."""
        return sum(
            self.cells[name].area * count for name, count in counts.items() if name in self.cells
        )

    def gate_equivalents(self, area: float) -> float:
        """Area in units of the smallest NAND2; 1,000 of them are a kGE."""
        return area / self.nand2.area


def read_library(paths: Sequence[Path]) -> Library:
    """Read the files of one library, gzipped or not.

    Raises:
        ValueError: no file given, a file that is not Liberty or whose gzip is cut off, or no
            flip-flop or no two-input NAND in all of them.
        OSError: a file that cannot be read.
    """
    if not paths:
        raise ValueError("0 Liberty files are given; a library has at least 1.")
    names, cells = [], {}
    files = tuple(path.read_bytes() for path in paths)
    for path, content in zip(paths, files, strict=True):
        text = _COMMENT.sub("", _text(path, content))
        library = _LIBRARY.search(text)
        if library is None:
            raise ValueError(f"{path} is not Liberty: it holds no library(...) group.")
        names.append(library[1])
        cells.update({cell.name: cell for cell in _cells(text, path)})
    where = ", ".join(str(path) for path in paths)
    if not any(cell.is_flip_flop for cell in cells.values()):
        raise ValueError(f"{where} holds {len(cells)} cells but no flip-flop (an ff group).")
    if not any(cell.is_nand2 for cell in cells.values()):
        raise ValueError(f"{where} holds {len(cells)} cells but no two-input NAND.")
    return Library(names[0], cells, files)


def _text(path: Path, content: bytes) -> str:
    """A file's text, unpacked if it is gzipped."""
    if content.startswith(GZIP):
        try:
            content = gzip.decompress(content)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{path} is a gzip file that cannot be unpacked: {error}.") from error
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not Liberty: byte {error.start} is no text.") from error


def _cells(text: str, path: Path) -> list[Cell]:
    """The cells of a library's text."""
    cells = []
    for name, body in _groups(_CELL, text):
        area = _AREA.search(body)
        if area is None:
            raise ValueError(f"{path}: cell {name} has no area.")
        outputs = ((pin, _FUNCTION.search(inside)) for pin, inside in _groups(_PIN, body))
        functions = {pin: function[1] for pin, function in outputs if function}
        try:
            cell = Cell(name, float(area[1]), bool(_FLIP_FLOP.search(body)), functions)
            cell.check()
        except ValueError as error:
            raise ValueError(f"{path}: cell {name}: {str(error).rstrip('.')}.") from error
        cells.append(cell)
    return cells


def _groups(opening: re.Pattern[str], text: str) -> Iterator[tuple[str, str]]:
    """Name and text of each group; one reaches up to where the next of its kind begins."""
    starts = list(opening.finditer(text))
    for start, following in zip_longest(starts, starts[1:]):
        yield start[1], text[start.end() : following.start() if following else len(text)]


def _evaluate(function: str, values: dict[str, bool]) -> bool:
    """Value of a Liberty function of named inputs; a name next to a name means AND.

    From the loosest operator to the tightest: ``|`` or ``+``, ``&``, ``*`` or nothing, ``^``, and
    ``!`` before or ``'`` after an operand.
    """
    tokens: list[str] = re.findall(r"\w+|[()!'&*|+^]", function)
    position = 0

    def peek() -> str:
        return tokens[position] if position < len(tokens) else ""

    def take() -> str:
        nonlocal position
        token = peek()
        position += 1
        return token

    def either() -> bool:
        value = both()
        while peek() in ("|", "+"):
            take()
            value = both() or value
        return value

    def both() -> bool:
        value = differ()
        while peek() in ("&", "*", "!", "(") or peek()[:1].isalnum() or peek()[:1] == "_":
            if peek() in ("&", "*"):
                take()
            value = differ() and value
        return value

    def differ() -> bool:
        value = operand()
        while peek() == "^":
            take()
            value = operand() != value
        return value

    def operand() -> bool:
        if peek() == "":
            raise ValueError(f"the function {function!r} ends where an operand is expected.")
        token = take()
        if token == "!":
            return not operand()
        if token == "(":
            value = either()
            if peek() != ")":
                raise ValueError(f"the function {function!r} lacks a closing parenthesis.")
            take()
        else:
            if token not in ("0", "1", *values):
                raise ValueError(f"the function {function!r} has {token} in place of an operand.")
            value = token == "1" if token in ("0", "1") else values[token]
        while peek() == "'":
            take()
            value = not value
        return value

    return either()
