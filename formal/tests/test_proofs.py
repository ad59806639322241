"""Every proof holds, and refutes every broken form of its unit."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from formal.proof import Proof
from formal.prover import RefutedError, prove, reach

ROOM = Path(__file__).parents[1]
PROOFS: dict[str, Proof] = {
    path.stem: import_module(f"formal.{path.parent.name}.{path.stem}").PROOF
    for path in sorted(ROOM.glob("*/*.py"))
    if path.parent.name != "tests" and path.stem != "__init__"
}
BREAKS = [(name, number) for name, proof in PROOFS.items() for number in range(len(proof.breaks))]


@pytest.mark.parametrize("name", PROOFS)
def test_proof(name: str) -> None:
    prove(PROOFS[name].component())


@pytest.mark.parametrize("name", PROOFS)
def test_what_the_claim_is_about_happens(name: str) -> None:
    reached = PROOFS[name].reached
    assert len(PROOFS[name].component().reached) == len(reached)
    for bit in range(len(reached)):
        reach(PROOFS[name].component(), bit)


@pytest.mark.parametrize(("name", "number"), BREAKS)
def test_a_broken_unit_is_refuted(name: str, number: int) -> None:
    with pytest.raises(RefutedError):
        prove(PROOFS[name].broken_component(number))


def test_the_page_has_every_proof() -> None:
    rows = [f"| `{name}` | {proof.claim} | {len(proof.breaks)} |" for name, proof in PROOFS.items()]
    page = (ROOM.parent / "docs" / "verification.md").read_text()
    (table,) = re.findall(r"^\| unit \| proven .*\n\|[-|]+\|\n((?:\|.*\n)+)", page, re.MULTILINE)
    assert table.splitlines() == rows
