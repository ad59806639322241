"""Every proof holds, and refutes every broken form of its unit; the page names every unit of hw."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from formal.proof import Proof, proofs_of
from formal.prover import prove, reach, refute

ROOM = Path(__file__).parents[1]
HW = ROOM.parent / "hw"
UNITS = {
    path.relative_to(ROOM).with_suffix("").as_posix(): import_module(
        ".".join(path.relative_to(ROOM.parent).with_suffix("").parts)
    )
    for path in sorted(ROOM.rglob("*.py"))
    if (HW / path.relative_to(ROOM)).exists() and path.stem != "__init__"
}
"""Modules that have the name of the unit that they are about."""
PROOFS: dict[tuple[str, str], Proof] = {
    (unit, name): proof
    for unit, module in UNITS.items()
    for name, proof in proofs_of(module).items()
}
PROVEN = [
    pytest.param(key, marks=[pytest.mark.slow] if proof.slow else [])
    for key, proof in PROOFS.items()
]
BREAKS = [
    pytest.param(key, number, marks=[pytest.mark.slow] if proof.slow or number else [])
    for key, proof in PROOFS.items()
    for number in range(len(proof.breaks))
]
"""One of each quick proof in every run of the tests; all of them in ``make formal``."""


def label(value: object) -> str:
    return " ".join(value) if isinstance(value, tuple) else str(value)


@pytest.mark.parametrize("key", PROVEN, ids=label)
def test_proof(key: tuple[str, str]) -> None:
    prove(PROOFS[key].component(), PROOFS[key].window)


@pytest.mark.slow
@pytest.mark.parametrize("key", PROOFS, ids=label)
def test_what_the_claim_is_about_happens(key: tuple[str, str]) -> None:
    reached = PROOFS[key].reached
    assert len(PROOFS[key].component().reached) == len(reached)
    for bit in range(len(reached)):
        reach(PROOFS[key].component(), bit)


@pytest.mark.parametrize(("key", "number"), BREAKS, ids=label)
def test_a_broken_unit_is_refuted(key: tuple[str, str], number: int) -> None:
    refute(PROOFS[key].broken_component(number))


def table(head: str) -> list[str]:
    """The rows of the page's table whose head begins so."""
    page = (ROOM.parent / "docs" / "verification.md").read_text()
    (rows,) = re.findall(rf"^\| {head} .*\n\|[-|]+\|\n((?:\|.*\n)+)", page, re.MULTILINE)
    return str(rows).splitlines()


def test_a_proof_is_of_the_unit_that_its_module_is_named_after() -> None:
    assert {unit for unit, _ in PROOFS} == set(UNITS)
    for (unit, _), proof in PROOFS.items():
        assert proof.unit.__module__ == f"hw.{unit.replace('/', '.')}"
    in_rooms = {
        path.relative_to(ROOM).with_suffix("").as_posix()
        for path in ROOM.glob("*/*.py")
        if path.parent.name != "tests" and path.stem != "__init__"
    }
    assert in_rooms <= set(UNITS)


def test_the_page_has_every_proof() -> None:
    assert table("unit \\| proven") == [
        f"| `{unit}` | {proof.claim} | {len(proof.breaks)} |" for (unit, _), proof in PROOFS.items()
    ]


def test_the_page_names_every_unit() -> None:
    """A unit is a file of hw that makes logic; it is proven, or a row says why not."""
    units = {
        path.relative_to(HW).with_suffix("").as_posix()
        for path in HW.rglob("*.py")
        if path.parent.name != "emit"
        and re.search(r"^from amaranth\.hdl import (?!ShapeLike$)", path.read_text(), re.MULTILINE)
    }
    others = [
        unit for row in table("not proven") for unit in re.findall(r"`([\w/]+)`", row.split("|")[1])
    ]
    assert sorted(units) == sorted([*UNITS, *others])
