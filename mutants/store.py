"""The store of verdicts: one JSON object a line, under what each verdict follows from.

It only grows; the last line of a key counts. A line that a killed process left half-written is
passed over.
"""

import ast
import hashlib
import json
import threading
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from mutants.source import Mutant
from mutants.trial import Verdict
from mutants.units import ROOT, Unit

_HAVE_DOCSTRINGS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Result:
    """A verdict on a mutant, by its id."""

    key: str
    mutant: str
    verdict: Verdict


class Store:
    """The verdicts in a file."""

    def __init__(self, path: Path):
        self._path = path
        self._lock = threading.Lock()
        self._results: dict[str, Result] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        for line in path.read_text().splitlines() if path.exists() else ():
            try:
                found = json.loads(line)
            except json.JSONDecodeError:
                continue
            result = Result(**{**found, "verdict": Verdict(**found["verdict"])})
            self._results[result.key] = result

    def get(self, key: str) -> Result | None:
        """The result under a key."""
        return self._results.get(key)

    def put(self, result: Result) -> None:
        """Keep a result."""
        with self._lock, self._path.open("a") as file:
            file.write(json.dumps(asdict(result)) + "\n")
            self._results[result.key] = result


def unit_key(unit: Unit) -> str:
    """Of what the unit's tests and proof follow from, its own file and all comments excepted."""
    digest = hashlib.sha256()
    for path in unit.sources():
        name = str(path.relative_to(ROOT))
        if name != unit.file:
            digest.update(f"{name}\0{_meaning(path)}\0".encode())
    return digest.hexdigest()


def original_key(unit: Unit, of_unit: str) -> str:
    """Of a unit as it is and its key."""
    text = f"{of_unit}\0{(ROOT / unit.file).read_text()}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def _meaning(path: Path) -> str:
    """A source without comments, docstrings and places."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, _HAVE_DOCSTRINGS) and ast.get_docstring(node):
            del node.body[0]
    return ast.dump(tree)


def mutant_key(mutant: Mutant, of_unit: str) -> str:
    """Of a mutant's source and its unit's key."""
    return hashlib.sha256(f"{of_unit}\0{mutant.file}\0{mutant.source}".encode()).hexdigest()
