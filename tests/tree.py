"""What the rules are held against: the project's files and the imports in them."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
_LEFT_OUT = {".git", ".venv", "build", "__pycache__"}
_PROSE = (
    ".py", ".md", ".toml", ".hpp", ".cpp", ".c", ".v", ".svg", ".j2", ".vlt", ".ipynb", ".cff",
    ".yml",
)  # fmt: skip


def modules(folder: str) -> list[Path]:
    """Every module below a folder of the project."""
    return sorted((ROOT / folder).rglob("*.py"))


def texts() -> Iterator[tuple[str, str]]:
    """(name, text) of every file that people read, lines joined and comment signs left out."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = any(part in _LEFT_OUT or part.endswith(".egg-info") for part in parts)
        if hidden or not path.is_file():
            continue
        if path.suffix in _PROSE or path.name in ("Makefile", "run"):
            text = re.sub(r"\n\s*(#|//|\*)?\s*", " ", path.read_text())
            yield str(path.relative_to(ROOT)), text


def imported(path: Path) -> set[str]:
    """Modules that a file imports, anywhere in it, by their full names; the standard library's not.

    Of ``from hw.pair import dau`` it is ``hw.pair.dau``, where that is a module.
    """
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            inside = ROOT.joinpath(*node.module.split("."))
            for alias in node.names:
                is_module = (inside / alias.name).is_dir() or (
                    inside / f"{alias.name}.py"
                ).is_file()
                found.add(f"{node.module}.{alias.name}" if is_module else node.module)
    return {name for name in found if name.split(".")[0] not in sys.stdlib_module_names}


def packages(path: Path) -> set[str]:
    """The top-level packages of what a file imports."""
    return {name.split(".")[0] for name in imported(path)}
