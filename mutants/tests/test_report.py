"""The report: figures follow from the store, and add up."""

from pathlib import Path

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
    before = {QUEUE.file: {"of": "others", "made": 7}, "gone": {"made": 1}}
    found = report.figures(store, [FORK, QUEUE, REGISTER], before)
    unknown = found.pop(REGISTER.file)
    assert unknown["made"] == unknown["not run"] == len(REGISTER.mutants())
    made = len(FORK.mutants())
    assert found == {
        FORK.file: {
            "of": found[FORK.file]["of"], "made": made, **dict.fromkeys(report.KINDS, 0),
            "killed by test": 1, "survived": 1,
            "not run": made - 2, "seconds": 5,
            "named": {"equivalent": {}, "survived": {mutants[1].diff: ["why"]}},
        },
        QUEUE.file: {"of": "others", "made": 7},
    }  # fmt: skip


def test_what_was_known_stays_where_the_store_knows_less(tmp_path: Path) -> None:
    """As in a fresh clone, where docs/mutants.json is all there is."""
    store = Store(tmp_path / "results.jsonl")
    put(store, QUEUE, [Verdict("killed by proof", "p", 1.0)] * len(QUEUE.mutants()))
    known = report.figures(store, [QUEUE], {})
    assert report.is_known(QUEUE, known)
    assert not report.is_known(FORK, known)
    less = Store(tmp_path / "less.jsonl")
    put(less, QUEUE, [Verdict("killed by proof", "p", 1.0)])
    assert report.figures(less, [QUEUE], known) == known
    other = {QUEUE.file: known[QUEUE.file] | {"of": "another source"}}
    assert not report.is_known(QUEUE, other)
    assert report.figures(less, [QUEUE], other) == report.figures(less, [QUEUE], {})
