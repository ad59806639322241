"""The text of a package's sources, for digests of what follows from them."""

from importlib import import_module
from pathlib import Path


def sources_of(package: str) -> list[str]:
    """Path in the package and text of each of its files, tests aside, in the order of the paths."""
    folder = Path(next(iter(import_module(package).__path__)))
    parts = []
    for source in sorted(folder.rglob("*.py")):
        place = source.relative_to(folder)
        if "tests" not in place.parts:
            parts += [str(place), source.read_text()]
    return parts
