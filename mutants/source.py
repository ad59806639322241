"""Mutants of a source file: which of its functions make hardware, and all changes to them."""

import ast
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mutants.operators import changes

_HARDWARE = re.compile(r"\b(Module|Value|Signal|Const|View)\b")
"""In the annotations of a function that makes hardware."""
_DESCRIBES = re.compile(r"Layout|Signature|Lookup|Shape")
"""In what a function returns that only says how values look."""
_Function = ast.FunctionDef


@dataclass(frozen=True)
class Mutant:
    """A file of hw with one change.

    Attributes:
        file: its path from the root of the project.
        file_hash: of the whole file as it is, the first 8 digits.
        line, column: of the change, from 1 and from 0.
        operator: of `mutants.operators`.
        index: among the changes of that operator in that place.
        before, after: the text there, for people in one line.
        source: the whole file with the change.
    """

    file: str
    file_hash: str
    line: int
    column: int
    operator: str
    index: int
    before: str
    after: str
    source: str

    @property
    def id(self) -> str:
        """Names it for as long as the file stays as it is."""
        place = f"{self.file}:{self.line}:{self.column}"
        return f"{place}:{self.operator}:{self.index}:{self.file_hash}"

    @property
    def diff(self) -> str:
        """What it changes, in one line."""
        return f"{self.file}:{self.line}: {self.before} -> {self.after}"


def mutants_of(file: str, text: str) -> list[Mutant]:
    """All mutants of a file, in the order of its text."""
    lines = text.encode().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    content, file_hash = text.encode(), hashlib.sha256(text.encode()).hexdigest()[:8]
    found: dict[tuple[int, int, str], list[str]] = {}
    nodes: dict[tuple[int, int, str], Any] = {}
    for function in hardware_functions(ast.parse(text)):
        for statement in function.body:
            for operator, node, after in changes(statement):
                start = starts[node.lineno - 1] + node.col_offset
                end = starts[node.end_lineno - 1] + node.end_col_offset
                place = (start, end, operator)
                nodes[place] = node
                texts = found.setdefault(place, [])
                if after not in texts:
                    texts.append(after)
    count: Counter[tuple[int, str]] = Counter()
    mutants = []
    for (start, end, operator), texts in sorted(found.items()):
        node = nodes[start, end, operator]
        for after in texts:
            mutants.append(
                Mutant(
                    file,
                    file_hash,
                    node.lineno,
                    node.col_offset,
                    operator,
                    count[start, operator],
                    ast.unparse(node),
                    after,
                    (content[:start] + after.encode() + content[end:]).decode(),
                )
            )
            count[start, operator] += 1
    return mutants


def hardware_functions(tree: ast.Module) -> list[_Function]:
    """Functions of a module that make hardware, or work out for one that does what it makes.

    The first kind is known by its annotations, the second by its name in the first. Constructors,
    which say what ports there are, and descriptions of values are neither.
    """
    functions = [
        node
        for outer in _scopes(tree)
        for node in outer.body
        if isinstance(node, _Function) and not node.name.startswith("__")
    ]
    made = [function for function in functions if _makes_hardware(function)]
    for function in made:  # it grows
        names = {
            getattr(node, "attr", None) or getattr(node, "id", None) for node in ast.walk(function)
        }
        made += [
            other for other in functions
            if other.name in names and other not in made and not _describes(other)
        ]  # fmt: skip
    return sorted(made, key=lambda function: function.lineno)


def _scopes(tree: ast.Module) -> Iterator[ast.Module | ast.ClassDef]:
    yield tree
    yield from (node for node in tree.body if isinstance(node, ast.ClassDef))


def _makes_hardware(function: _Function) -> bool:
    arguments = function.args
    annotations = [
        each.annotation for each in (*arguments.args, *arguments.kwonlyargs) if each.annotation
    ]
    every = [*annotations, *([function.returns] if function.returns else [])]
    return any(_HARDWARE.search(ast.unparse(each)) for each in every)


def _describes(function: _Function) -> bool:
    return bool(function.returns and _DESCRIBES.search(ast.unparse(function.returns)))
