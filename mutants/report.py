"""The report: figures by unit as docs/mutants.json, and the table of docs/verification.md."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from textwrap import fill
from typing import Any

from mutants.store import Store, mutant_key, unit_key
from mutants.units import ROOT, Unit

JSON = ROOT / "docs" / "mutants.json"
PAGE = ROOT / "docs" / "verification.md"
KINDS = ("stillborn", "same", "killed by proof", "killed by test", "equivalent", "survived")
NOT_RUN = "not run"
_BEGIN, _END = "<!-- mutants -->\n", "<!-- end -->"
_LEFT = ("equivalent", "survived")
"""Kinds of which the report names each mutant."""


def figures(store: Store, units: Iterable[Unit], before: dict[str, Any]) -> dict[str, Any]:
    """What the store knows of each unit; of one that it does not know, what was known before."""
    found = {unit.file: _of_unit(store, unit) for unit in units}
    return {
        file: before.get(file, unit) if unit[NOT_RUN] == unit["made"] else unit
        for file, unit in found.items()
    }


def _of_unit(store: Store, unit: Unit) -> dict[str, Any]:
    of_unit = unit_key(unit)
    counts: Counter[str] = Counter()
    named: dict[str, dict[str, list[str]]] = {kind: {} for kind in _LEFT}
    seconds = 0.0
    for mutant in unit.mutants():
        result = store.get(mutant_key(mutant, of_unit))
        counts[result.verdict.kind if result else NOT_RUN] += 1
        if result:
            seconds += result.verdict.seconds
            if result.verdict.kind in named:
                # Two of a line can read the same.
                details = named[result.verdict.kind].setdefault(mutant.diff, [])
                details.append(result.verdict.detail)
    return {
        "made": sum(counts.values()),
        **{kind: counts[kind] for kind in (*KINDS, NOT_RUN)},
        "seconds": round(seconds),
        "named": named,
    }


def table(found: dict[str, Any]) -> str:
    """The figures as a table for people."""
    heads = ["unit", "made", *KINDS, NOT_RUN]
    rows = [[f"`{file}`", *(str(unit[head]) for head in heads[1:])] for file, unit in found.items()]
    sums = [str(sum(unit[head] for unit in found.values())) for head in heads[1:]]
    lines = [heads, ["---"] * len(heads), *rows, ["all", *sums]]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def rate(found: dict[str, Any]) -> str:
    """How many were tried, and how long a trial took, in one sentence."""
    made, left, seconds = (
        sum(unit[name] for unit in found.values()) for name in ("made", NOT_RUN, "seconds")
    )
    tried = made - left
    if not tried:
        return "None was tried."
    return (
        f"Of {made:,} mutants {tried:,} were tried, which took {seconds / tried:.1f} s of a core"
        " each."
    )


def page(text: str, found: dict[str, Any]) -> str:
    """The page with its table made anew.

    Raises:
        ValueError: it has no place for it.
    """
    head, begin, rest = text.partition(_BEGIN)
    _, end, tail = rest.partition(_END)
    if not end:
        raise ValueError(f"the page has no {_BEGIN.strip()} ... {_END}")
    return f"{head}{begin}\n{fill(rate(found), 100)}\n\n{table(found)}\n{end}{tail}"


def known() -> dict[str, Any]:
    """What docs/mutants.json holds."""
    found: dict[str, Any] = json.loads(JSON.read_text()) if JSON.exists() else {}
    return found


def write(found: dict[str, Any]) -> None:
    """Write the JSON and the table, each whole or not at all."""
    _replace(JSON, json.dumps(found, indent=2) + "\n")
    _replace(PAGE, page(PAGE.read_text(), found))


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text)
    partial.replace(path)
