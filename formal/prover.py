"""Proofs for ever: property-directed reachability, by the ABC that comes with Yosys.

It looks for an inductive invariant that implies all assertions, and checks the one that it finds.
"""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import rtlil
from amaranth.lib import wiring

from synth import yosys

_FIRST = r"""
  attribute \init 1'1
  wire \is_first
  wire \is_reset_first
  cell $dff \first
    parameter \CLK_POLARITY 1
    parameter \WIDTH 1
    connect \CLK \clk
    connect \D 1'0
    connect \Q \is_first
  end
  cell $mux \reset_first
    parameter \WIDTH 1
    connect \A 1'1
    connect \B \rst
    connect \S \is_first
    connect \Y \is_reset_first
  end
"""
"""In RTLIL: the first cycle is one of reset."""
_NEVER = r"""
  wire \is_not_reached
  cell $not \not_reached
    parameter \A_SIGNED 0
    parameter \A_WIDTH 1
    parameter \Y_WIDTH 1
    connect \A \reached [{bit}]
    connect \Y \is_not_reached
  end
"""
_READ = ("read_rtlil design.il", "hierarchy -check -top top", "proc", "chformal -lower", "flatten")
_FREE_START = (
    # Nothing has a value before that reset.
    "delete t:$meminit_v2",
    "setattr -unset init w:* w:is_first %d",
)
_AFTER_RESET = (
    # In the reset assertions and assumptions do not count yet.
    "chformal -assert -skip 1",
    "chformal -assume -skip 1",
    "add -assume is_reset_first",
)
_WRITE = (
    "memory_map",
    "setundef -undriven -anyseq",  # what lies beyond a memory
    "opt_expr",
    "opt_merge",
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
_MITER_SCRIPT = (
    # Registers that are the same in both designs become one before the invariant is looked for.
    "read_aiger design.aig; fold; orpos; scorr; write_aiger reduced.aig; pdr -T {seconds}"
)
_GRACE_S = 30
"""Of ABC beyond the time that it is given."""
_REFUTED = re.compile(r"Output \d+ of miter .* was asserted in frame (\d+)")
_INVARIANT = re.compile(r"Verification of invariant with (\d+) clauses was successful")
_PROVEN = "Property proved"


class RefutedError(AssertionError):
    """An assertion fails in a state that can be reached."""


class UndecidedError(AssertionError):
    """Neither an invariant nor a way to a failing assertion was found."""


@dataclass(frozen=True)
class Verdict:
    """What a proof rests on.

    Attributes:
        clauses: of the inductive invariant; 0 where the assertions are inductive as they are.
    """

    clauses: int


def prove(component: wiring.Component, seconds: int = 60) -> Verdict:
    """Prove the assertions of a component in all states that its assumptions allow.

    The first cycle is one of reset, with any content of registers and memories; assertions and
    assumptions count from the next one on. All inputs are free in every cycle, the reset too.

    Args:
        component: clocked, with Assert and Assume in its combinational statements.
        seconds: to find a proof in.

    Raises:
        RefutedError: an assertion can fail.
        UndecidedError: nothing was found in time; or there is no assertion, or constants alone.
        YosysError: a tool failed.
    """
    return _prove(_with(rtlil.convert(component, name="top"), _FIRST), (), seconds)


def reach(component: wiring.Component, bit: int, seconds: int = 60) -> None:
    """Show that a bit of a component's output ``reached`` can be 1 under its assumptions.

    Raises:
        UndecidedError: nothing was found in time.
        AssertionError: it cannot.
        YosysError: a tool failed.
    """
    text = _with(rtlil.convert(component, name="top"), _FIRST + _NEVER.format(bit=bit))
    try:
        _prove(text, ("chformal -assert -remove", "add -assert is_not_reached"), seconds)
    except RefutedError:
        return
    raise AssertionError(f"bit {bit} of reached is never 1")


def prove_miter(text: str, seconds: int = 60) -> None:
    """Prove the assertions of a design made of two that are much alike, from the same start.

    Unlike in `prove` registers start as a reset makes them, others and memories at 0.

    Args:
        text: the design in RTLIL; its top module is ``top``.
        seconds: to find a proof in.

    Raises:
        RefutedError: an assertion can fail.
        UndecidedError: nothing was found in time; or there is no assertion.
        YosysError: a tool failed.
    """
    with _aiger(_with(text, _FIRST), ()) as folder:
        said = _search(_MITER_SCRIPT, folder, seconds)
        reduced = folder / "reduced.aig"
        if not (reduced.exists() and _never_holds(reduced)):
            _judge(said, seconds)


def _bad_states(aiger: Path) -> int:
    """How many properties a file in AIGER format has: field B of its header."""
    fields = aiger.read_bytes().split(b"\n", 1)[0].split()
    return int(fields[6]) if len(fields) > 6 else 0


def _with(text: str, lines: str) -> str:
    """A design in RTLIL with some more lines in its top module."""
    start = text.index("module \\top\n")
    end = text.index("\nend\n", start)
    return text[:end] + lines + text[end:]


def _never_holds(aiger: Path) -> bool:
    """Whether the one output of a file in AIGER format is the constant 0."""
    header, *lines = aiger.read_bytes().split(b"\n")
    latches = int(header.split()[3])
    return lines[latches] == b"0"


def _prove(text: str, passes: tuple[str, ...], seconds: int) -> Verdict:
    with _aiger(text, (*passes, *_FREE_START)) as folder:
        return Verdict(_judge(_search(_SCRIPT, folder, seconds), seconds))


@contextmanager
def _aiger(text: str, passes: tuple[str, ...]) -> Iterator[Path]:
    """Yield a folder with the design in AIGER format, as design.aig."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "design.il").write_text(text)
        yosys.run([*_READ, *passes, *_AFTER_RESET, *_WRITE], folder)
        if not _bad_states(folder / "design.aig"):
            raise UndecidedError("it has no assertion")
        yield folder


def _search(script: str, folder: Path, seconds: int) -> str:
    """What ABC says as it looks for a proof; nothing where it takes too long."""
    try:
        return yosys.run_abc(script.format(seconds=seconds), folder, seconds + _GRACE_S)
    except subprocess.TimeoutExpired:
        return ""


def _judge(said: str, seconds: int) -> int:
    """The clauses of the invariant that ABC says it has found; raises as `prove`."""
    if refuted := _REFUTED.search(said):
        raise RefutedError(f"an assertion fails {refuted[1]} cycles after the reset")
    invariant = _INVARIANT.search(said)
    if _PROVEN not in said or invariant is None:
        raise UndecidedError(f"no proof in {seconds} s: {said.strip()[-300:]}")
    return int(invariant[1])
