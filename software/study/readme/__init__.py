"""Writes the measured figures into README.md: ``python -m software.study.readme``.

README holds marks, ``<!-- figures: NAME -->`` up to ``<!-- end -->``; what stands between them
comes from the JSON files in docs/, which the commands made that each section names. A test holds
the marked sections to them, so that no figure in one is typed by hand.
"""

import re
from collections.abc import Callable
from pathlib import Path

from software.study.readme import area, quality, speed

ROOT = Path(__file__).parents[3]
_SECTION = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


_SECTIONS: dict[str, Callable[[Path], str]] = {
    "sheet": quality.sheet,
    "evaluation": quality.evaluation,
    "bench": speed.bench,
    "pairing": speed.pairing,
    "attention": speed.attention,
    "layer": speed.layer,
    "area": area.area,
    "libraries": area.libraries,
}


def render(readme: str, docs: Path) -> str:
    """The text of README with every section made anew.

    Args:
        readme: its present text.
        docs: folder of the JSON files.

    Raises:
        ValueError: a mark of an unknown name.
    """

    def section(found: re.Match[str]) -> str:
        name = found[2]
        if name not in _SECTIONS:
            known = ", ".join(_SECTIONS)
            raise ValueError(f"README marks figures {name!r}; it must be one of {known}.")
        return f"{found[1]}{_SECTIONS[name](docs)}\n{found[3]}"

    return _SECTION.sub(section, readme)
