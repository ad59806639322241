"""Proofs for ever: property-directed reachability, by the ABC that comes with Yosys.

It looks for an inductive invariant that implies all assertions, and checks the one that it finds.
"""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import rtlil
from amaranth.lib import wiring

from synth import yosys

_PASSES = (
    "read_rtlil design.il",
    "hierarchy -check -top top",
    "proc",
    "chformal -lower",
    "flatten",
    "memory_map",
    "opt -full",
    "async2sync",
    "dffunmap",
    "opt_clean",
    "check -assert",
    "techmap",
    "simplemap",
    "aigmap",
    "delete -port o:*",  # AIGER takes every output for an assertion
    "opt_clean",
    "write_aiger -zinit design.aig",
)
_SCRIPT = "read_aiger design.aig; fold; orpos; pdr -T {seconds}"
_REFUTED = re.compile(r"Output \d+ of miter .* was asserted in frame (\d+)")
_INVARIANT = re.compile(r"Verification of invariant with (\d+) clauses was successful")
_PROVEN = "Property proved"


class RefutedError(AssertionError):
    """An assertion fails in a state that can be reached."""


class UndecidedError(AssertionError):
    """Neither an invariant nor a way to a failing assertion was found in time."""


@dataclass(frozen=True)
class Verdict:
    """What a proof rests on.

    Attributes:
        clauses: of the inductive invariant; 0 where the assertions are inductive as they are, or
            no logic is left of them.
    """

    clauses: int


def prove(component: wiring.Component, seconds: int = 60) -> Verdict:
    """Prove the assertions of a component in all states that its assumptions allow.

    All inputs are free in every cycle, the reset among them; the first state is that after one.

    Args:
        component: with Assert and Assume in it.
        seconds: to find a proof in.

    Raises:
        RefutedError: an assertion can fail.
        UndecidedError: nothing was found in time.
        YosysError: a tool failed.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "design.il").write_text(rtlil.convert(component, name="top"))
        yosys.run(_PASSES, folder)
        said = yosys.run_abc(_SCRIPT.format(seconds=seconds), folder)
    if refuted := _REFUTED.search(said):
        raise RefutedError(f"an assertion fails {refuted[1]} cycles after the first state")
    if _PROVEN not in said:
        raise UndecidedError(f"no proof in {seconds} s: {said.strip()[-300:]}")
    found = _INVARIANT.search(said)
    return Verdict(int(found[1]) if found else 0)
