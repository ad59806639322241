"""``python -m mutants``: try mutants of hw, and refresh docs/mutants.json.

Units that docs/mutants.json knows as they are today are left out, unless they are named or sampled.
"""

import argparse
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mutants import report
from mutants.campaign import STORE, BaselineError, Campaign
from mutants.source import Mutant
from mutants.store import Result, Store
from mutants.units import ROOT, units


def main(arguments: list[str] | None = None) -> None:
    """Run the command; it exits with 2 on a bad argument."""
    parser = argparse.ArgumentParser(prog="python -m mutants", description=__doc__)
    parser.add_argument("--unit", action="append", metavar="FILE", help="only this file of hw")
    parser.add_argument("--sample", type=int, metavar="N", help="only so many mutants, drawn")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--jobs", type=int, default=1, help="mutants at a time")
    parser.add_argument("--minutes", type=float, help="start no mutant after so long")
    parser.add_argument("--list", action="store_true", help="print the mutants and try none")
    parser.add_argument("--report", action="store_true", help="only report what is known")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "mutants")
    given = parser.parse_args(arguments)
    for name in ("sample", "jobs"):
        if getattr(given, name) is not None and getattr(given, name) < 1:
            parser.error(f"--{name} is {getattr(given, name)}; it must be at least 1.")
    every = {unit.file: unit for unit in units()}
    for file in given.unit or ():
        if file not in every:
            parser.error(f"--unit is {file!r}; it must be a file of hw that makes hardware.")
    asked = [every[file] for file in given.unit or every]
    if not given.unit and given.sample is None and not given.list:
        before = report.known()
        asked = [unit for unit in asked if not report.is_known(unit, before)]
    mutants = [(unit, mutant) for unit in asked for mutant in unit.mutants()]
    if given.sample is not None and given.sample < len(mutants):
        drawn = random.Random(given.seed).sample(range(len(mutants)), given.sample)
        mutants = [mutants[place] for place in sorted(drawn)]
    if given.list:
        for _, mutant in mutants:
            print(f"{mutant.id}  {mutant.before} -> {mutant.after}")
        return

    if given.report:
        store = Store(given.folder / STORE)
        report.write(report.figures(store, every.values(), report.known()))
        return
    # As on Ctrl-C: the trials that run end first, and what is known is reported.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    until = float("inf") if given.minutes is None else time.monotonic() + 60 * given.minutes
    counts: Counter[str] = Counter()
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("mutants", total=len(mutants))

        def tell(mutant: Mutant, result: Result | None) -> None:
            kind = result.verdict.kind if result else report.NOT_RUN
            counts[kind] += 1
            progress.update(task, advance=1, description=mutant.file)
            if result and kind == "survived":
                progress.console.print(
                    f"survived: {mutant.diff} ({result.verdict.detail})", markup=False
                )

        campaign = Campaign(given.folder, given.jobs)
        try:
            campaign.run(mutants, until, tell)
        except BaselineError as error:
            sys.exit(str(error))
        finally:
            report.write(report.figures(campaign.store, every.values(), report.known()))
    print(", ".join(f"{counts[kind]} {kind}" for kind in (*report.KINDS, report.NOT_RUN)))


if __name__ == "__main__":
    main()
