"""Defaults stand in MatchOptions, and OrbisConfig around it; commands and studies follow."""

import ast
import dataclasses
from enum import Enum
from pathlib import Path

import pytest
import typer.main

from golden.options import MatchOptions
from software.commands.cli import app
from software.library.config import OrbisConfig
from software.study.evaluation.experiment import Experiment

DEFAULTS = {field.name: field.default for field in dataclasses.fields(OrbisConfig)}
OF_THE_ENGINE = {"spread"}
"""What a match alone does as the engine does by itself."""
OF_THE_PAPER = {"ratio"}
"""What the study of matching has from the paper."""
NAMED_OTHERWISE = {"warm_up": "warmup_steps"}
ROOT = Path(__file__).parents[3]


def test_a_config_matches_as_match_options_do() -> None:
    for field in dataclasses.fields(MatchOptions):
        if field.name in DEFAULTS.keys() - OF_THE_ENGINE:
            assert DEFAULTS[field.name] == field.default


def test_the_definition_names_the_defaults() -> None:
    text = " ".join((ROOT / "docs" / "definition.md").read_text().split())
    default = MatchOptions()
    assert (
        f"By default epsilon is {default.epsilon} ({default.epsilon_q16} of those units) and"
        f" {default.max_iterations} pairings are allowed." in text
    )


def test_commands_default_to_the_configs_values() -> None:
    compared = 0
    for command, spoken in typer.main.get_group(app).commands.items():
        for parameter in spoken.params:
            name = NAMED_OTHERWISE.get(parameter.name or "", parameter.name)
            if name in DEFAULTS.keys() - OF_THE_ENGINE and not parameter.required:
                default = parameter.default
                default = default.value if isinstance(default, Enum) else default
                wanted = str(DEFAULTS[name]) if name == "bits" else DEFAULTS[name]
                # None leaves it to what the command is given: a preset, or --init.
                assert default in (wanted, None), f"orbis {command}: {parameter.name}"
                compared += default is not None
    assert compared > 15


def test_the_evaluation_defaults_to_the_configs_values() -> None:
    for field in dataclasses.fields(Experiment):
        if field.name in DEFAULTS.keys() - OF_THE_PAPER:
            assert field.default == DEFAULTS[field.name], field.name


@pytest.mark.parametrize("name", ["epsilon", "max_iterations", "warmup_steps"])
def test_no_signature_repeats_a_default(name: str) -> None:
    """No function, and no other class, of what ships gives the value again."""
    stated = []
    for folder in ("golden", "software"):
        for path in (ROOT / folder).rglob("*.py"):
            if "tests" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                given: list[tuple[str, ast.expr | None]] = []
                if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                    given = [(node.target.id, node.value)]
                elif isinstance(node, ast.arguments):
                    named = [*node.posonlyargs, *node.args][::-1]
                    given = [(a.arg, d) for a, d in zip(named, node.defaults[::-1], strict=False)]
                    given += [
                        (a.arg, d) for a, d in zip(node.kwonlyargs, node.kw_defaults, strict=True)
                    ]
                stated += [
                    str(path.relative_to(ROOT)) for what, value in given
                    if what == name and isinstance(value, ast.Constant) and value.value is not None
                ]  # fmt: skip
    owner = "software/library/config.py" if name == "warmup_steps" else "golden/options.py"
    assert stated == [owner]
