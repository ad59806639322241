"""The public face: complete, listed, typed, and loaded only where a name needs it."""

import ast
import re
import subprocess
import sys
from dataclasses import fields, is_dataclass
from inspect import isclass, isfunction
from pathlib import Path
from types import GenericAlias, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
import typer.main
from torch import Tensor

import orbis
from software.commands.cli import app

OURS = ("golden", "software", "hw", "synth")
LATE = {"Tensor": Tensor, "Match": orbis.Match}
"""What modules name in quotes, so as not to load it."""


def named(annotation: Any) -> set[type]:
    """The classes of ours that an annotation holds."""
    if get_origin(annotation) is not None or isinstance(annotation, GenericAlias | UnionType):
        return {each for part in get_args(annotation) for each in named(part)}
    if isclass(annotation) and annotation.__module__.split(".")[0] in OURS:
        return {annotation}
    return set()


def mentioned(thing: Any) -> set[type]:
    """The classes of ours in the public signature of a function or class."""
    if isfunction(thing):
        return {
            each for hint in get_type_hints(thing, localns=LATE).values() for each in named(hint)
        }
    found: set[type] = set()
    if is_dataclass(thing):
        hints = get_type_hints(thing, localns=LATE)
        found |= {each for field in fields(thing) for each in named(hints[field.name])}
    for name, member in vars(thing).items():
        if name.startswith("_") and name != "__init__":
            continue
        function = member.fget if isinstance(member, property) else member
        function = getattr(function, "__func__", function)
        if isfunction(function) and name != "__init__":
            found |= mentioned(function)
    return found


def test_every_name_is_loaded_from_its_module() -> None:
    assert sorted(orbis.HOME) == list(orbis.HOME) == list(orbis.__all__)
    for name, home in orbis.HOME.items():
        thing = getattr(orbis, name)
        assert (thing.__name__, thing.__module__) == (name, home)
        assert thing.__doc__
    assert set(orbis.HOME) <= set(dir(orbis))


def test_the_page_lists_every_name_and_command() -> None:
    page = (Path(__file__).parents[2] / "docs" / "interface.md").read_text()
    first_cells = re.findall(r"^\| (`[^|]+`) \|", page, re.MULTILINE)
    listed = {name for cell in first_cells for name in re.findall(r"`([\w ]+)`", cell)}
    commands = {f"orbis {name}" for name in typer.main.get_group(app).commands}
    assert listed == set(orbis.HOME) | commands


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(str(orbis.__file__)).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module
        for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
        if alias.asname == alias.name
    }  # fmt: skip
    assert seen == orbis.HOME


@pytest.mark.parametrize("name", orbis.HOME)
def test_what_a_public_name_mentions_is_public(name: str) -> None:
    thing = getattr(orbis, name)
    hidden = {each.__name__ for each in mentioned(thing)} - set(orbis.HOME)
    assert not hidden, f"{name} mentions {sorted(hidden)}"


def test_the_face_is_imported_without_torch_until_a_name_needs_it() -> None:
    program = (
        "import sys, orbis; heavy = ('torch', 'diffusers');"
        "orbis.OrbisConfig(ratio=0.5), orbis.MatchOptions(seed=1);"
        "print(*[name in sys.modules for name in heavy]);"
        "orbis.match; print(*[name in sys.modules for name in heavy]);"
        "orbis.apply_orbis; print(*[name in sys.modules for name in heavy])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert result.stdout.split() == [b"False", b"False", b"True", b"False", b"True", b"True"]
    with pytest.raises(AttributeError, match="has no attribute 'orbit'"):
        _ = orbis.orbit
