"""The report: figures follow from the store, and the page from the figures."""

from pathlib import Path

import pytest

from mutants import report
from mutants.source import Mutant
from mutants.store import Result, Store, mutant_key, unit_key
from mutants.trial import Verdict
from mutants.units import Unit, units

UNITS = {unit.file: unit for unit in units()}
FORK, QUEUE, REGISTER = (
    UNITS[f"hw/blocks/stream_{name}.py"] for name in ("fork", "queue", "register")
)


def put(store: Store, unit: Unit, verdicts: list[Verdict]) -> list[Mutant]:
    mutants = unit.mutants()[: len(verdicts)]
    for mutant, verdict in zip(mutants, verdicts, strict=True):
        store.put(Result(mutant_key(mutant, unit_key(unit)), mutant.id, verdict))
    return mutants


def test_the_page_says_what_was_measured() -> None:
    text = report.PAGE.read_text()
    assert report.page(text, report.known()) == text, "run `python -m mutants --report`"


def test_figures_are_of_units_and_add_up() -> None:
    for file, unit in report.known().items():
        assert file in UNITS
        assert unit["made"] == sum(unit[kind] for kind in (*report.KINDS, report.NOT_RUN))
        for kind, named in unit["named"].items():
            assert sum(len(details) for details in named.values()) == unit[kind]


def test_figures_follow_from_the_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "results.jsonl")
    verdicts = [Verdict("killed by test", "t", 2.0), Verdict("survived", "why", 3.0)]
    mutants = put(store, FORK, verdicts)
    before = {QUEUE.file: {"made": 7}, "gone": {"made": 1}}
    found = report.figures(store, [FORK, QUEUE, REGISTER], before)
    unknown = found.pop(REGISTER.file)
    assert unknown["made"] == unknown["not run"] == len(REGISTER.mutants())
    made = len(FORK.mutants())
    assert found == {
        FORK.file: {
            "made": made, **dict.fromkeys(report.KINDS, 0), "killed by test": 1, "survived": 1,
            "not run": made - 2, "seconds": 5,
            "named": {"equivalent": {}, "survived": {mutants[1].diff: ["why"]}},
        },
        QUEUE.file: {"made": 7},
    }  # fmt: skip


def test_a_table_of_figures() -> None:
    figures = dict(zip(("made", *report.KINDS, report.NOT_RUN), range(8), strict=True))
    table = report.table({"first": figures, "second": figures}).splitlines()
    assert table[2] == "| `first` | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 |"
    assert table[4] == "| all | 0 | 2 | 4 | 6 | 8 | 10 | 12 | 14 |"


def test_a_rate() -> None:
    unit = {"made": 2000, "not run": 1990, "seconds": 36.0}
    assert report.rate({"a": unit, "b": {"made": 2000, "not run": 2000, "seconds": 0}}) == (
        "Of 4,000 mutants 10 were tried, which took 3.6 s of a core each."
    )
    assert report.rate({}) == "None was tried."


def test_a_page_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="the page has no <!-- mutants -->"):
        report.page("# A page\n<!-- mutants -->\nno end", {})
