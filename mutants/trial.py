"""Trials: what becomes of a mutant, each found out in a process of its own.

If the unit's proof does not tell, its tests come one by one, that of the smallest design first, and
each twice: first it only makes its designs; then, if one is not the original's, it runs. The first
that fails ends the trial. What the process finds goes through a pipe, and so does how long its next
step may take.
"""

import importlib
import resource
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from amaranth.back import rtlil

from mutants.baseline import Baseline
from mutants.session import Session
from mutants.units import ROOT, Unit


@dataclass(frozen=True)
class Limits:
    """How long a trial may take.

    Attributes:
        times, more: a step takes at most so many times what it took on the original, and so many
            seconds more.
        proof: seconds to find a unit's proof in.
        equal: seconds to find a proof in that a design is equivalent.
    """

    times: float = 10
    more: float = 30
    proof: int = 60
    equal: int = 20

    def of(self, seconds: float) -> float:
        """Of a step that took so long on the original."""
        return self.times * seconds + self.more


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant.

    Attributes:
        kind: ``stillborn`` (some design cannot be made), ``same`` (all designs are the original's),
            ``killed by proof``, ``killed by test``, ``equivalent`` or ``survived``.
        detail: the test that failed, the designs proven equal, or why nothing was proven.
        seconds: of a core that it took; what hung took its limit.
    """

    kind: str
    detail: str = ""
    seconds: float = 0.0


def try_mutant(tree: Path, unit: Unit, folder: Path, limits: Limits, pipe: Connection) -> None:
    """Find out what becomes of the mutant that a tree holds.

    Sends ("step", its name, its limit in seconds) before each step, and ("done", `Verdict`); or
    ("done", None) where the tests have to run, and it is not known how long they take.

    Args:
        tree: of the mutant.
        unit: the unit that is broken there.
        folder: of the unit's baseline.
        limits: of its steps.
        pipe: where it sends.
    """
    baseline = Baseline.read(folder)
    session = Session(tree, tree / "log")
    verdict, differing = None, False
    making = limits.of(baseline.making_seconds)
    if unit.proof:
        pipe.send(("step", "making", making))
        proofs = _made_proofs(unit.proof)
        pipe.send(("step", "proof", limits.of(limits.proof)))
        verdict = _proven_wrong(unit.proof, proofs, limits.proof)
    for node in () if verdict else baseline.smallest_first:
        pipe.send(("step", "making", making))
        verdict, differs = _made(session, node, baseline)
        if verdict:
            break
        if not differs:
            continue
        differing = True
        if (seconds := baseline.seconds) is None:
            pipe.send(("done", None))
            return
        pipe.send(("step", "test", limits.of(seconds[node])))
        if session.run([node]).failed:
            verdict = Verdict("killed by test", node)
            break
    if verdict is None and differing:
        pipe.send(("step", "equivalence", limits.of(limits.equal * (1 + len(baseline.digests)))))
        verdict = _equivalent(session, unit, baseline, limits.equal)
        if verdict.kind == "survived" and unit.proof:
            verdict = _equivalent_in_proof(unit, unit.proof, limits.equal) or verdict
    pipe.send(("done", replace(verdict or Verdict("same"), seconds=_used())))


def _used() -> float:
    """Seconds of a core that this process and those that it started took."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return round(sum(usage.ru_utime + usage.ru_stime for usage in usages), 2)


def _made(session: Session, node: str, baseline: Baseline) -> tuple[Verdict | None, bool]:
    """The verdict, if making a test's designs tells it, and whether they are not the original's."""
    reports, collected = session.make_designs([node])
    names, digests = baseline.items[node], session.simulations.digests
    missing = [name for name in names if name not in digests]
    if missing or not collected:
        return Verdict("stillborn", ", ".join(missing) or "the tests cannot be imported"), False
    if reports.failed and not names:
        return Verdict("killed by test", node), False
    return None, any(digests[name] != baseline.digests[name] for name in names)


def _made_proofs(name: str) -> list[Any]:
    """The proofs of that module at whose size the mutant can be made.

    What cannot be made, or imported, is for making the tests' designs to tell.
    """
    found = []
    with suppress(Exception):
        proofs = importlib.import_module("formal.proof")
        for proof in proofs.proofs_of(importlib.import_module(name)).values():
            with suppress(Exception):
                rtlil.convert(proof.component(), name="top")
                found.append(proof)
    return found


def _proven_wrong(name: str, proofs: list[Any], seconds: int) -> Verdict | None:
    """The verdict, if one of the proofs of that module refutes the mutant."""
    prover = importlib.import_module("formal.prover")
    for proof in proofs:
        try:
            prover.prove(proof.component(), proof.window, seconds)
        except prover.RefutedError as error:
            return Verdict("killed by proof", f"{name}: {error}")
        except prover.UndecidedError:  # the others may take as long: the tests tell sooner
            break
        except Exception:  # a tool failed
            continue
    return None


def _equivalent(session: Session, unit: Unit, baseline: Baseline, seconds: int) -> Verdict:
    """Whether the designs that are not the original's do the same, the smallest first.

    Equivalent is a mutant whose smallest such design is; the detail names all that are.
    """
    equivalence = importlib.import_module("formal.equivalence")
    prover = importlib.import_module("formal.prover")
    digests = session.simulations.digests
    session.make_designs(unit.tests)
    names = [name for name in digests if digests[name] != baseline.digests[name]]
    proven: list[str] = []
    for name in sorted(names, key=baseline.sizes.__getitem__):
        try:
            other = equivalence.design_of(session.simulations.components[name], "other")
            equivalence.prove_equal(baseline.design(name), other, seconds)
        except (prover.RefutedError, prover.UndecidedError, RuntimeError, ValueError) as error:
            why = f"{name}: {str(error).splitlines()[0]}"
            return (
                Verdict("equivalent", ", ".join(proven))
                if proven and isinstance(error, prover.UndecidedError)
                else Verdict("survived", why)
            )
        proven.append(name)
    return Verdict("equivalent", ", ".join(proven))


def _equivalent_in_proof(unit: Unit, name: str, seconds: int) -> Verdict | None:
    """The verdict, if the mutant is equivalent at the size and under the rules of every proof."""
    equivalence, proofs = (
        importlib.import_module(f"formal.{module}") for module in ("equivalence", "proof")
    )
    original = (ROOT / unit.file).read_text()
    for proof in proofs.proofs_of(importlib.import_module(name)).values():
        try:
            equivalence.prove_equal_under(proof, original, seconds)
        except (AssertionError, RuntimeError):  # that it is not, or a tool's
            return None
    return Verdict("equivalent", f"under the rules of {name}")
