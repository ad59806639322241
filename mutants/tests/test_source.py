"""Which mutants a file has: of hardware alone, each once, always the same."""

import ast

import pytest

from mutants.source import hardware_functions, mutants_of
from mutants.units import ROOT, TESTS, Unit, closure, units

TEXT = '''"""A unit."""

WIDTH = 3


def layout(config: Config) -> data.StructLayout:
    return data.StructLayout({"a": 2})


class Unit(Component):
    latency = 1

    def __init__(self) -> None:
        super().__init__({"o": Out(2), "é": In(2)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layout(self)
        m.d.comb += [self.é.eq(1), self.o.eq(self._cycles + later(m, self.i))]
        return m

    @property
    def _cycles(self) -> int:
        return 4

    def told(self) -> int:
        return 5


def later(m: Module, value: Value) -> Value:
    return value & 6
'''


def test_all_of_a_file() -> None:
    made = [(mutant.line, mutant.operator, mutant.after) for mutant in mutants_of("u.py", TEXT)]
    assert made == [
        (19, "domain", "m.d.sync"),
        (19, "dropped", "()"),
        (19, "constant", "0"),
        (19, "constant", "2"),
        (19, "dropped", "()"),
        (19, "arithmetic", "(self._cycles - later(m, self.i))"),
        (24, "constant", "0"),
        (24, "constant", "3"),
        (24, "constant", "5"),
        (31, "logic", "(value | 6)"),
        (31, "constant", "0"),
        (31, "constant", "5"),
        (31, "constant", "7"),
    ]


def test_each_changes_what_it_says() -> None:
    for mutant in mutants_of("u.py", TEXT):
        before, after = TEXT.splitlines(), mutant.source.splitlines()
        (changed,) = [
            number for number, lines in enumerate(zip(before, after, strict=True), 1)
            if lines[0] != lines[1]
        ]  # fmt: skip
        assert changed == mutant.line
        assert mutant.after in after[changed - 1]
        assert mutant.diff == f"u.py:{mutant.line}: {mutant.before} -> {mutant.after}"


def test_what_makes_hardware() -> None:
    names = [function.name for function in hardware_functions(ast.parse(TEXT))]
    assert names == ["elaborate", "_cycles", "later"]


@pytest.mark.parametrize("unit", units(), ids=lambda unit: unit.file)
def test_mutants_of_a_unit(unit: Unit) -> None:
    """Each is another and none the original, they come again, and some of each kind are Python."""
    mutants = unit.mutants()
    assert len({mutant.id for mutant in mutants}) == len(mutants)
    assert len({mutant.source for mutant in mutants}) == len(mutants)
    assert unit.mutants() == mutants
    original = ast.dump(ast.parse((ROOT / unit.file).read_text()))
    for mutant in {mutant.operator: mutant for mutant in mutants}.values():
        assert ast.dump(ast.parse(mutant.source)) != original, mutant.diff


def test_an_id_names_the_file_as_it_is() -> None:
    ids, others = ({each.id for each in mutants_of("u.py", text)} for text in (TEXT, TEXT + "\n"))
    assert not ids & others


def test_files_with_tests_of_other_names_have_mutants() -> None:
    assert TESTS.keys() <= {unit.file for unit in units()}


def test_what_a_verdict_follows_from() -> None:
    files = {str(path.relative_to(ROOT)) for path in closure(["tb/pair/test_dau.py"])}
    assert {"hw/pair/dau.py", "tb/streams.py", "tb/runner.py", "golden/qe.py"} <= files
    assert "hw/blocks/unpacker.py" not in files
