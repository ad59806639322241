"""``orbis tokens`` and ``orbis statistics``: what they write, and what they refuse."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from golden.options import MatchOptions
from golden.qe import quantize
from software.commands.cli import app
from software.demo.video_tokens import TokenGrid, video_tokens
from software.library.npy import load_tokens
from software.study.chunks import Lanes
from software.study.statistics import count_match


def orbis(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(result: Result, output: Path, rule: str) -> None:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("orbis: ")
    assert result.stderr.endswith(".\n")
    assert rule in result.stderr
    assert not output.exists()
    assert not list(output.parent.glob(".orbis.*")) if output.parent.is_dir() else True


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    path = tmp_path / "tokens.npy"
    values = np.random.default_rng(2).standard_normal((60, 30))
    np.save(path, values.astype(np.float16))
    return path


GRID = ("--frames", 2, "--rows", 3, "--columns", 4)


def test_tokens_of_a_clip(tmp_path: Path) -> None:
    output = tmp_path / "tokens.npy"
    result = orbis("tokens", "--clip", "carphone", *GRID, "--json", "-o", output)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {
        "clip": "carphone", "frames": 2, "rows": 3, "columns": 4, "tokens": 24, "channels": 3072,
        "output": str(output),
    }  # fmt: skip
    found = load_tokens(output).numpy()
    assert np.array_equal(found, video_tokens("carphone", TokenGrid(2, 3, 4)))
    content = output.read_bytes()
    shown = orbis("tokens", "--clip", "carphone", *GRID, "-o", output)
    assert shown.stdout.splitlines()[4].split() == ["tokens", "24"]
    assert output.read_bytes() == content


def test_the_clip_by_default(tmp_path: Path) -> None:
    assert orbis("tokens", *GRID, "-o", tmp_path / "out").exit_code == 0
    found = load_tokens(tmp_path / "out").numpy()
    assert np.array_equal(found, video_tokens("bigbuckbunny", TokenGrid(2, 3, 4)))


BAD_TOKENS: dict[str, tuple[list[object], str]] = {
    "clip": (["--clip", "dog"], "'dog'; it must be one of bigbuckbunny, bikes, carphone"),
    "no frame": (["--frames", 0], "frames is 0; it must be at least 1"),
    "too short": (["--frames", 34], "frames is 34; it must be at most 33, since bigbuckbunny has"),
    "too low": (["--rows", 46], "rows is 46; it must be at most 45"),
    "too narrow": (["--clip", "bikes", "--columns", 41], "columns is 41; it must be at most 40"),
    "no number": (["--rows", "many"], "invalid value for '--rows'"),
}


@pytest.mark.parametrize("name", BAD_TOKENS)
def test_tokens_that_cannot_be(tmp_path: Path, name: str) -> None:
    options, rule = BAD_TOKENS[name]
    output = tmp_path / "tokens.npy"
    refused(orbis("tokens", *GRID, *options, "-o", output), output, rule)


def test_a_failed_write_leaves_old_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "tokens.npy"
    output.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.save", full)
    result = orbis("tokens", *GRID, "-o", output)
    assert result.exit_code == 2
    assert result.stderr == f"orbis: {output}: no space left on device.\n"
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def count(tokens: Path, *options: object) -> dict[str, Any]:
    """The counts that were written."""
    output = tokens.parent / "stats.json"
    result = orbis("statistics", tokens, "--num-dst", 12, *options, "--json", "-o", output)
    assert result.exit_code == 0, result.output
    content: dict[str, Any] = json.loads(output.read_text())
    assert json.loads(result.stdout) == {**content, "output": str(output)}
    return content


def test_statistics_by_default(tokens: Path) -> None:
    found = count(tokens)
    expected = count_match(quantize(load_tokens(tokens)), 12).as_dict()
    assert found.pop("seconds") >= 0
    del expected["seconds"]
    settings = {"preset": None, "lanes": None, "scale_group": 1, "seed": 0, "spread": False,
                "epsilon": 0.001, "max_iterations": 20}  # fmt: skip
    assert found == json.loads(json.dumps(expected)) | settings
    assert (found["tokens"], found["channels"], found["num_dst"]) == (60, 30, 12)


def test_options_reach_the_match(tokens: Path) -> None:
    found = count(tokens, "--seed", 3, "--spread", "--epsilon", 0, "--max-iterations", 2,
                  "--scale-group", 4)  # fmt: skip
    options = MatchOptions(seed=3, spread=True, epsilon=0, max_iterations=2)
    expected = count_match(quantize(load_tokens(tokens), scale_group=4), 12, options)
    assert found["loss_history"] == list(expected.loss_history)
    assert found["iterations"] == 2
    assert (found["seed"], found["spread"], found["scale_group"]) == (3, True, 4)


def test_comparisons_of_a_preset(tokens: Path) -> None:
    found = count(tokens, "--preset", "tiny")
    lanes = Lanes(2, 2, 4, most_groups=24)
    expected = count_match(quantize(load_tokens(tokens)), 12, lanes=lanes)
    assert found["pairings"] == json.loads(json.dumps(expected.as_dict()["pairings"]))
    assert found["lanes"] == asdict(lanes)
    assert sum(found["pairings"][0]["full_chunks"]) == 24 * 6


def test_a_summary_for_people(tokens: Path, tmp_path: Path) -> None:
    result = orbis("statistics", tokens, "--num-dst", 12, "-o", tmp_path / "stats.json")
    assert [line.split()[0] for line in result.stdout.splitlines()] == [
        "tokens", "channels", "num_dst", "iterations", "full_pairings", "seconds", "output",
    ]  # fmt: skip


BAD_STATISTICS: dict[str, tuple[list[object], str]] = {
    "M < 1": (["--num-dst", 0], "num_dst is 0; it must be at least 1"),
    "M = N": (["--num-dst", 60], "num_dst is 60; it must be less than the number of tokens, 60"),
    "epsilon": (["--epsilon", 1], "epsilon is 1.0"),
    "no pairing": (["--max-iterations", 0], "max_iterations is 0"),
    "seed": (["--seed", -1], "seed is -1"),
    "scale group": (["--scale-group", 0], "scale_group is 0"),
    "preset": (
        ["--preset", "huge"],
        "preset is 'huge'; it must be one of tiny, ulx3s, demo, compact",
    ),
}


@pytest.mark.parametrize("name", BAD_STATISTICS)
def test_statistics_that_cannot_be(tokens: Path, tmp_path: Path, name: str) -> None:
    options, rule = BAD_STATISTICS[name]
    output = tmp_path / "stats.json"
    refused(orbis("statistics", tokens, "--num-dst", 12, *options, "-o", output), output, rule)


def test_bad_files(tokens: Path, tmp_path: Path) -> None:
    output = tmp_path / "stats.json"
    given = ("--num-dst", 12, "-o", output)
    refused(orbis("statistics", tmp_path / "none.npy", *given), output, "does not exist")
    np.save(tmp_path / "nan.npy", np.full((60, 2), np.nan, np.float16))
    refused(orbis("statistics", tmp_path / "nan.npy", *given), output, "token 0, channel 0 is nan")
    content = tokens.read_bytes()
    same = orbis("statistics", tokens, "--num-dst", 12, "-o", tokens)
    assert same.exit_code == 2
    assert "tokens.npy is an input as well" in same.stderr
    assert tokens.read_bytes() == content


@pytest.mark.parametrize("command", [("tokens", *GRID), ("statistics", "--num-dst", 12)])
def test_unwritable_outputs(tokens: Path, tmp_path: Path, command: tuple[object, ...]) -> None:
    given = command if command[0] == "tokens" else (*command, tokens)
    for output in (tmp_path / "none" / "out", tokens / "out", Path("/proc/out")):
        refused(orbis(*given, "-o", output), output, "cannot be written to")


@pytest.mark.parametrize("command", ["tokens", "statistics"])
def test_help_has_an_example(command: str) -> None:
    assert f"orbis {command}" in orbis(command, "--help").stdout.split("Example")[1]
