"""The baseline: the designs of a unit's tests on the original, and how long the tests take there.

What is in a baseline's folder: ``baseline.json``, each design, and, once it was needed,
``seconds.json``.
"""

import importlib
import json
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from mutants.session import Session
from mutants.units import Unit

_SECONDS = "seconds.json"


@dataclass(frozen=True)
class Baseline:
    """The designs of a unit's tests.

    Attributes:
        folder: where it is kept.
        items: the names of the designs that each test simulates, by the test as pytest names it.
        digests: of the Verilog of each design.
        sizes: characters of it.
        making_seconds: to make all of them.
    """

    folder: Path
    items: dict[str, list[str]]
    digests: dict[str, str]
    sizes: dict[str, int]
    making_seconds: float

    @classmethod
    def read(cls, folder: Path) -> "Baseline":
        """Read what `make` wrote."""
        return cls(folder, **json.loads((folder / "baseline.json").read_text()))

    def design(self, name: str) -> Any:
        """A design, as `formal.equivalence` has it."""
        equivalence = importlib.import_module("formal.equivalence")
        found = json.loads((self.folder / f"{name}.json").read_text())
        ports = tuple(equivalence.Port(**port) for port in found["ports"])
        return equivalence.Design(found["text"], ports)

    @property
    def smallest_first(self) -> list[str]:
        """The tests, by the size of their designs; first those that simulate none."""
        return sorted(
            self.items, key=lambda node: sum(map(self.sizes.__getitem__, self.items[node]))
        )

    @property
    def seconds(self) -> dict[str, float] | None:
        """How long each test takes, if `time` has found out."""
        path = self.folder / _SECONDS
        return dict(json.loads(path.read_text())) if path.exists() else None


def make(tree: Path, unit: Unit, folder: Path, pipe: Connection) -> None:
    """Make the designs of a unit's tests on the original, in a process of its own.

    Sends ("done", whether there are any).

    Args:
        tree: of the original.
        unit: the unit.
        folder: takes the `Baseline`.
        pipe: where it sends.
    """
    session = Session(tree, folder / "log")
    reports, _ = session.make_designs(unit.tests)
    made = session.simulations
    equivalence = importlib.import_module("formal.equivalence")
    for name, component in made.components.items():
        design = equivalence.design_of(component, "one")
        (folder / f"{name}.json").write_text(json.dumps(asdict(design)))
    facts = {
        "items": {node: made.of_items.get(node, []) for node in reports.seconds},
        "digests": made.digests,
        "sizes": {name: len(source) for name, source in made.sources.items()},
        "making_seconds": sum(reports.seconds.values()),
    }
    (folder / "baseline.json").write_text(json.dumps(facts))
    pipe.send(("done", bool(made.sources)))


def time(tree: Path, unit: Unit, folder: Path, pipe: Connection) -> None:
    """Run a unit's tests on the original, in a process of its own; arguments as of `make`.

    Sends ("done", whether all pass).
    """
    session = Session(tree, folder / "log")
    session.make_designs(unit.tests)
    reports = session.run(unit.tests)
    if not reports.failed:
        (folder / _SECONDS).write_text(json.dumps(reports.seconds))
    pipe.send(("done", not reports.failed))
