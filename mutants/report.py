"""The report: figures by unit as docs/mutants.json, from which docs/verification.md follows."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from mutants.store import Store, mutant_key, original_key, unit_key
from mutants.units import ROOT, Unit

JSON = ROOT / "docs" / "mutants.json"
KINDS = ("stillborn", "same", "killed by proof", "killed by test", "equivalent", "survived")
NOT_RUN = "not run"
_LEFT = ("equivalent", "survived")
"""Kinds of which the report names each mutant."""


def figures(store: Store, units: Iterable[Unit], before: dict[str, Any]) -> dict[str, Any]:
    """What the store knows of each unit, or what was known before where that is more.

    Of sources that are no more, only where the store knows nothing.
    """
    found = {unit.file: _of_unit(store, unit) for unit in units}
    return {
        file: before[file] if file in before and _tells_more(before[file], unit) else unit
        for file, unit in found.items()
    }


def is_known(unit: Unit, before: dict[str, Any]) -> bool:
    """Whether every mutant of a unit was tried, as it and its tests are today."""
    known = before.get(unit.file, {NOT_RUN: 1})
    return bool(known[NOT_RUN] == 0 and known["of"] == original_key(unit, unit_key(unit)))


def _tells_more(known: dict[str, Any], found: dict[str, Any]) -> bool:
    if known["of"] != found["of"]:
        return bool(found[NOT_RUN] == found["made"])
    return bool(known[NOT_RUN] < found[NOT_RUN])


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
        "of": original_key(unit, of_unit),
        "made": sum(counts.values()),
        **{kind: counts[kind] for kind in (*KINDS, NOT_RUN)},
        "seconds": round(seconds),
        "named": named,
    }


def known() -> dict[str, Any]:
    """What docs/mutants.json holds."""
    found: dict[str, Any] = json.loads(JSON.read_text()) if JSON.exists() else {}
    return found


def write(found: dict[str, Any]) -> None:
    """Write the JSON, whole or not at all."""
    partial = JSON.with_name(f".{JSON.name}.partial")
    partial.write_text(json.dumps(found, indent=2) + "\n")
    partial.replace(JSON)
