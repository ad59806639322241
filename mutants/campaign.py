"""A campaign: mutants tried one after another, or several at a time, each on a tree of its own."""

import multiprocessing
import os
import queue
import shutil
import signal
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

from mutants.baseline import Baseline, make, time
from mutants.source import Mutant
from mutants.store import Result, Store, mutant_key, original_key, unit_key
from mutants.trial import Limits, Verdict, try_mutant
from mutants.units import ROOT, SOURCES, Unit

_PRELOADED = ["amaranth.back.rtlil", "cocotb_tools.runner", "pytest", "torch", "mutants.trial"]
"""What each trial needs and no mutant changes; a process that has it is copied for each."""
STORE = "results.jsonl"
_BASELINE_S, _START_S = 1800, 120
_LIMITS = Limits()
_HUNG = "hung"
_HANGING = {"making": "stillborn", "test": "killed by test"}
"""What a mutant is that hangs in a step; what crashes, or hangs in another, nothing has killed."""


class BaselineError(RuntimeError):
    """The tests of a unit fail on the original, or take too long."""


class Campaign:
    """Tries mutants.

    Args:
        folder: of scratch trees, baselines and the store.
        jobs: trials at a time.
        limits: of a trial.
    """

    def __init__(self, folder: Path, jobs: int = 1, limits: Limits = _LIMITS):
        self.store = Store(folder / STORE)
        self._folder = folder.resolve()
        self._jobs = jobs
        self._limits = limits
        self._trees: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for number in range(jobs):
            self._trees.put(_new_tree(self._folder / f"tree-{number}"))
        self._baselines: dict[Path, threading.Lock] = {}
        self._lock = threading.Lock()
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)

    def run(
        self,
        mutants: Iterable[tuple[Unit, Mutant]],
        until: float = float("inf"),
        tell: Callable[[Mutant, Result | None], None] = lambda mutant, result: None,
    ) -> None:
        """Try all mutants of which the store knows nothing.

        Args:
            mutants: each with its unit.
            until: of time.monotonic(); what would start later is left out.
            tell: is told of each, with its result unless it was left out.
        """
        keys: dict[str, str] = {}

        def work(unit: Unit, mutant: Mutant) -> None:
            key = mutant_key(mutant, keys[unit.file])
            result = self.store.get(key)
            if result is None and monotonic() < until:
                result = Result(key, mutant.id, self.verdict(unit, mutant, keys[unit.file]))
                self.store.put(result)
            tell(mutant, result)

        with ThreadPoolExecutor(self._jobs) as pool:
            works = []
            for unit, mutant in mutants:
                if unit.file not in keys:
                    keys[unit.file] = unit_key(unit)
                works.append(pool.submit(work, unit, mutant))
            try:
                for each in works:
                    each.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def verdict(self, unit: Unit, mutant: Mutant, of_unit: str) -> Verdict:
        """What becomes of a mutant.

        Raises:
            BaselineError: the unit's tests do not pass on the original.
        """
        tree = self._trees.get()
        place = tree / unit.file
        original = place.read_text()
        try:
            folder = self._baseline(unit, tree, of_unit)
            place.write_text(mutant.source)
            found = self._try(unit, tree, folder)
            if found is None:
                place.write_text(original)
                self._time(unit, tree, folder)
                place.write_text(mutant.source)
                found = self._try(unit, tree, folder)
                assert found
            return found
        finally:
            place.write_text(original)
            self._trees.put(tree)

    def _baseline(self, unit: Unit, tree: Path, of_unit: str) -> Path:
        """The folder of the unit's baseline, which is made once."""
        folder = self._folder / "baselines" / original_key(unit, of_unit)
        with self._of(folder):
            if not folder.exists():
                partial = folder.with_name(f"{folder.name}.partial")
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir(parents=True)
                if self._process(make, tree, unit, partial, limit=_BASELINE_S) != ("done", True):
                    raise BaselineError(
                        f"The tests of {unit.file} make no design as it is: see {partial / 'log'}."
                    )
                partial.rename(folder)
        return folder

    def _time(self, unit: Unit, tree: Path, folder: Path) -> None:
        """Find out how long the unit's tests take, once."""
        with self._of(folder):
            if Baseline.read(folder).seconds is not None:
                return
            if self._process(time, tree, unit, folder, limit=_BASELINE_S) != ("done", True):
                raise BaselineError(
                    f"The tests of {unit.file} do not pass as it is: see {folder / 'log'}."
                )

    def _of(self, folder: Path) -> threading.Lock:
        """The lock of a baseline's folder."""
        with self._lock:
            return self._baselines.setdefault(folder, threading.Lock())

    def _try(self, unit: Unit, tree: Path, folder: Path) -> Verdict | None:
        """The verdict on the mutant in a tree; nothing if the tests' time has to be known first."""
        sent = self._process(try_mutant, tree, unit, folder, self._limits, limit=_START_S)
        if sent[0] == "done":
            verdict: Verdict | None = sent[1]
            return verdict
        step, limit, how = sent[1:]
        detail = f"{how} in its step {step!r}, limit {limit:.0f} s"
        if how == _HUNG and step in _HANGING:
            return Verdict(_HANGING[step], detail, limit)
        return Verdict("survived", detail, limit)

    def _process(
        self, target: Callable[..., None], *arguments: Any, limit: float
    ) -> tuple[Any, ...]:
        """What a process sends at last; or its last step, with its limit and how it ended there."""
        mine, its = self._context.Pipe(duplex=False)
        process = self._context.Process(target=target, args=(*arguments, its))
        process.start()
        assert process.pid is not None
        its.close()
        step: tuple[Any, ...] = ("step", "making", limit)
        try:
            while mine.poll(step[2]):
                try:
                    sent: tuple[Any, ...] = mine.recv()
                except EOFError:
                    return (*step, "crashed")
                if sent[0] == "done":
                    return sent
                step = sent
            return (*step, _HUNG)
        finally:
            # Its simulator too: it leads a group of its own, unless it has only begun.
            process.kill()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.join()


def _new_tree(tree: Path) -> Path:
    """A copy of what tests and proofs import, and of the simulators' runtime if one is built.

    What was built there stays.
    """
    for built in (ROOT / "build" / "tb").glob("runtime-*"):
        shutil.copytree(built, tree / "build" / "tb" / built.name, dirs_exist_ok=True)
    for name in (*SOURCES, "mutants"):  # and tests of these tests
        shutil.rmtree(tree / name, ignore_errors=True)
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    return tree
