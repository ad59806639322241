"""Proofs for ever, by the ABC that comes with Yosys.

Property-directed reachability looks for an inductive invariant that implies all assertions, and
checks the one that it finds. What depends on a bounded number of cycles is proven by SAT instead.
"""

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import rtlil
from amaranth.lib import wiring

from synth import yosys

_CLOCK = r"""
  wire input {clock} \clk
  wire input {reset} \rst
"""
"""In RTLIL: what a component without registers has no ports for."""
_FIRST = r"""
  attribute \init 1'1
  wire \is_first
  wire \is_reset_first
  cell $dff \is_first_register
    parameter \CLK_POLARITY 1
    parameter \WIDTH 1
    connect \CLK \clk
    connect \D 1'0
    connect \Q \is_first
  end
  cell $mux \is_reset_first_choice
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
  cell $not \is_not_reached_gate
    parameter \A_SIGNED 0
    parameter \A_WIDTH 1
    parameter \Y_WIDTH 1
    connect \A \reached [{bit}]
    connect \Y \is_not_reached
  end
"""
_READ = ("read_rtlil design.il", "hierarchy -check -top top", "proc", "chformal -lower", "flatten")
_FREE_START = ("delete t:$meminit_v2", "setattr -unset init w:* w:is_first %d")
"""Registers and memories may hold anything in the first cycle."""
_RESET_FIRST = (
    # In which assertions and assumptions do not count yet.
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
_LOAD = "read_aiger design.aig; fold; orpos"
_MERGE = "scorr; write_aiger reduced.aig"
"""Registers that are the same in both designs of a miter become one."""
_SOON_S = 10
"""For bounded model checking: most of what can fail does so in the first cycles."""
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


def prove(component: wiring.Component, window: int = 0, seconds: int = 300) -> Verdict:
    """Prove the assertions of a component in all states that its assumptions allow.

    The first cycle is one of reset, with any content of registers and memories; assertions and
    assumptions count from the next one on. All inputs are free in every cycle, the reset too.

    With a window the first cycle is any, in any state, even one that is never reached, and the
    assertions count that many cycles later. So what follows from the inputs of the last cycles is
    proven for ever, as any cycle may be the first.

    Args:
        component: with Assert and Assume in its combinational statements.
        window: cycles whose inputs alone the assertions depend on; 0: they hold by an invariant.
        seconds: to find a proof in, by the clock: others may keep the machine busy.

    Raises:
        RefutedError: an assertion can fail.
        UndecidedError: nothing was found in time; or there is no assertion, or constants alone.
        YosysError: a tool failed.
    """
    text = _with(rtlil.convert(component, name="top"), "" if window else _FIRST)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not window:
            _write(text, (*_FREE_START, *_RESET_FIRST), folder)
            return _verdict(folder, seconds)
        _write(text, (*_FREE_START, f"chformal -assert -skip {window}"), folder)
        said = _ask(f"bmc3 -c -F {window + 1} -T {seconds}", folder, seconds)
    if _REFUTED.search(said):
        raise RefutedError("an assertion can fail")
    if f"No output asserted in {window + 1} frames" not in said:
        raise UndecidedError(f"no proof in {seconds} s: {said.strip()[-300:]}")
    return Verdict(0)


def refute(component: wiring.Component, seconds: int = 300) -> None:
    """Show that an assertion of a component can fail: as `prove` does, but the fastest way.

    Raises:
        UndecidedError: nothing was found in time.
        AssertionError: none can fail.
        YosysError: a tool failed.
    """
    text = _with(rtlil.convert(component, name="top"), _FIRST)
    if not _fails(text, (), seconds):
        raise AssertionError("no assertion can fail")


def reach(component: wiring.Component, bit: int, seconds: int = 300) -> None:
    """Show that a bit of a component's output ``reached`` can be 1 under its assumptions.

    Raises:
        UndecidedError: nothing was found in time.
        AssertionError: it cannot.
        YosysError: a tool failed.
    """
    text = _with(rtlil.convert(component, name="top"), _FIRST + _NEVER.format(bit=bit))
    if not _fails(text, ("chformal -assert -remove", "add -assert is_not_reached"), seconds):
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
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(_with(text, _FIRST), _RESET_FIRST, folder)
        said = _ask(f"{_MERGE}; pdr -T {seconds}", folder, seconds)
        reduced = folder / "reduced.aig"
        if not (reduced.exists() and _never_holds(reduced)):
            _judge(said, seconds)


def _bad_states(aiger: Path) -> int:
    """How many properties a file in AIGER format has: field B of its header."""
    fields = aiger.read_bytes().split(b"\n", 1)[0].split()
    return int(fields[6]) if len(fields) > 6 else 0


def _with(text: str, lines: str) -> str:
    """A design in RTLIL with some more lines in its top module, and a clock if it has none."""
    start = text.index("module \\top\n")
    end = text.index("\nend\n", start)
    ports = re.findall(r"^ +wire .*put \d+ +(\S+)$", text[start:end], re.MULTILINE)
    if r"\clk" not in ports:
        lines = _CLOCK.format(clock=len(ports), reset=len(ports) + 1) + lines
    return text[:end] + lines + text[end:]


def _never_holds(aiger: Path) -> bool:
    """Whether the one output of a file in AIGER format is the constant 0."""
    header, *lines = aiger.read_bytes().split(b"\n")
    latches = int(header.split()[3])
    return lines[latches] == b"0"


def _fails(text: str, passes: tuple[str, ...], seconds: int) -> bool:
    """Whether an assertion can fail."""
    with tempfile.TemporaryDirectory() as name:
        _write(text, (*_FREE_START, *passes, *_RESET_FIRST), Path(name))
        if _REFUTED.search(_ask(f"bmc3 -T {_SOON_S}", Path(name), _SOON_S)):
            return True
        try:
            _verdict(Path(name), seconds)
        except RefutedError:
            return True
    return False


def _write(text: str, passes: tuple[str, ...], folder: Path) -> None:
    """Write a design and its properties to a folder, as ABC reads them."""
    (folder / "design.il").write_text(text)
    yosys.run([*_READ, *passes, *_WRITE], folder)
    if not _bad_states(folder / "design.aig"):
        raise UndecidedError("it has no assertion")


def _ask(command: str, folder: Path, seconds: int) -> str:
    """What ABC says of the design in a folder."""
    try:
        return yosys.run_abc(f"{_LOAD}; {command}", folder, seconds + _GRACE_S)
    except subprocess.TimeoutExpired:
        return ""


def _verdict(folder: Path, seconds: int) -> Verdict:
    return _judge(_ask(f"pdr -T {seconds}", folder, seconds), seconds)


def _judge(said: str, seconds: int) -> Verdict:
    """What ABC's words come to; raises as `prove`."""
    if refuted := _REFUTED.search(said):
        raise RefutedError(f"an assertion fails {refuted[1]} cycles after the reset")
    invariant = _INVARIANT.search(said)
    if _PROVEN not in said or invariant is None:
        raise UndecidedError(f"no proof in {seconds} s: {said.strip()[-300:]}")
    return Verdict(int(invariant[1]))
