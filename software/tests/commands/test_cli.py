"""The real command, bad input above all: one sentence, exit code 2, no output file."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from golden.datm import match as golden_match
from golden.options import MatchOptions
from golden.qe import quantize as golden_quantize
from hw.config import PRESETS
from software.commands.cli import app
from software.library.errors import SimulationError
from software.library.npy import load_tokens
from software.tests.library.test_npy_headers import mutated

ROOT = Path(__file__).parents[3]


def orbis(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    path = tmp_path / "tokens.npy"
    values = np.random.default_rng(2).standard_normal((60, 30))
    np.save(path, values.astype(np.float16))
    return path


def refused(result: Result, output: Path, rule: str) -> None:
    """One sentence on stderr that holds ``rule``, exit code 2, and nothing beside the input."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("orbis: ")
    assert result.stderr.endswith(".\n")
    assert rule in result.stderr
    assert not output.exists()
    assert not list(output.parent.glob(".*")) if output.parent.is_dir() else True


def test_match_writes_what_golden_finds(tokens: Path, tmp_path: Path) -> None:
    output = tmp_path / "pairs.npz"
    result = orbis("match", tokens, "--num-dst", 12, "--reduce", 20, "--seed", 5, "-o", output)
    assert result.exit_code == 0, result.output
    expected = golden_match(load_tokens(tokens), 12, 20, MatchOptions(seed=5))
    with np.load(output) as found:
        assert set(found) == {"src", "dst", "loss", "medoids", "loss_history", "iterations"}
        for name in ("src", "dst", "loss", "medoids"):
            assert found[name].dtype == np.int64
            assert np.array_equal(found[name], getattr(expected, name).numpy()), name
        assert found["loss_history"].tolist() == list(expected.loss_history)
        assert found["loss_history"].dtype == np.int64
        assert found["iterations"] == expected.iterations


def test_match_of_floats(tokens: Path, tmp_path: Path) -> None:
    output = tmp_path / "pairs.npz"
    result = orbis("match", tokens, "--num-dst", 9, "--reduce", 7, "--bits", "float", "-o", output)
    assert result.exit_code == 0, result.output
    expected = golden_match(load_tokens(tokens), 9, 7, bits=None)
    with np.load(output) as found:
        assert found["loss"].dtype == np.float32
        assert np.array_equal(found["loss"], expected.loss.numpy())
        assert found["loss_history"].dtype == np.float64


def test_options_reach_the_matching(tokens: Path, tmp_path: Path) -> None:
    output, first = tmp_path / "pairs.npz", tmp_path / "first.npy"
    np.save(first, np.array([50, 3, 17]))
    result = orbis("match", tokens, "--num-dst", 3, "--reduce", 57, "--init", first, "--epsilon", 0,
                   "--max-iterations", 2, "--scale-group", 4, "--json", "-o", output)  # fmt: skip
    assert result.exit_code == 0, result.output
    quantized = golden_quantize(load_tokens(tokens), scale_group=4)
    options = MatchOptions(init=[50, 3, 17], epsilon=0, max_iterations=2)
    expected = golden_match(quantized, 3, 57, options)
    summary = json.loads(result.stdout)
    assert summary["loss_history"] == list(expected.loss_history)
    assert summary["reduced_loss"] == expected.loss.sum()
    assert summary["output"] == str(output)
    with np.load(output) as found:
        assert np.array_equal(found["medoids"], expected.medoids.numpy())


def test_match_reduces_nothing_if_told_so(tokens: Path, tmp_path: Path) -> None:
    output = tmp_path / "pairs.npz"
    assert orbis("match", tokens, "--num-dst", 12, "--reduce", 0, "-o", output).exit_code == 0
    with np.load(output) as found:
        assert found["src"].shape == found["loss"].shape == (0,)


def test_quantize(tokens: Path, tmp_path: Path) -> None:
    output = tmp_path / "q.npz"
    result = orbis("quantize", tokens, "--scale-group", 4, "--json", "-o", output)
    assert result.exit_code == 0, result.output
    expected = golden_quantize(load_tokens(tokens), scale_group=4)
    with np.load(output) as found:
        assert set(found) == {"q", "step", "weight", "order"}
        dtypes = {"q": np.uint8, "step": np.float32, "weight": np.uint16, "order": np.int64}
        for name, dtype in dtypes.items():
            assert found[name].dtype == dtype
            assert np.array_equal(found[name], getattr(expected, name).numpy()), name
    assert json.loads(result.stdout)["tokens"] == 60


def test_an_output_is_replaced(tokens: Path, tmp_path: Path) -> None:
    output = tmp_path / "q.npz"
    output.write_text("old")
    assert orbis("quantize", tokens, "-o", output).exit_code == 0
    with np.load(output) as found:
        assert found["q"].shape == (60, 30)


def test_a_refusal_leaves_an_old_output_alone(tokens: Path, tmp_path: Path) -> None:
    output = tmp_path / "pairs.npz"
    output.write_text("old")
    assert orbis("match", tokens, "--num-dst", 60, "--reduce", 0, "-o", output).exit_code == 2
    assert output.read_text() == "old"


BAD_ARRAYS: dict[str, tuple[Callable[[], Any], str]] = {
    "vector": (lambda: np.zeros(9, np.float32), "shape [9]"),
    "cube": (lambda: np.zeros((2, 2, 2), np.float32), "shape [2, 2, 2]"),
    "integers": (lambda: np.zeros((4, 4), np.int16), "int16"),
    "doubles": (lambda: np.zeros((4, 4)), "float64"),
    "objects": (lambda: np.full((4, 4), None), "object"),
    "nan": (lambda: np.array([[1, 2], [3, np.nan], [0, 0]], np.float32), "token 1, channel 1"),
    "infinity": (lambda: np.array([[1, -np.inf], [3, 4], [0, 0]], np.float16), "is -inf"),
    "beyond fp16": (lambda: np.array([[1, 7e4], [3, 4], [0, 0]], np.float32), "range of fp16"),
    "no token": (lambda: np.zeros((0, 4), np.float32), "shape [0, 4]"),
    "no channel": (lambda: np.zeros((4, 0), np.float32), "shape [4, 0]"),
}


@pytest.mark.parametrize("backend", ["golden", "rtl"])
@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_bad_arrays(tmp_path: Path, name: str, backend: str) -> None:
    make, rule = BAD_ARRAYS[name]
    path, output = tmp_path / "tokens.npy", tmp_path / "out.npz"
    np.save(path, make(), allow_pickle=True)
    match = ("match", path, "--num-dst", 1, "--reduce", 1, "--backend", backend, "-o", output)
    refused(orbis(*match), output, rule)
    refused(orbis("quantize", path, "-o", output), output, rule)


def test_bad_files(tokens: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.npz"
    for command in (("match", "--num-dst", 1, "--reduce", 1), ("quantize",)):
        given = [*command, "-o", output]
        refused(orbis(*given, tmp_path / "none.npy"), output, "none.npy does not exist")
        refused(orbis(*given, ROOT / "pyproject.toml"), output, "is not a .npy file")
        cut = tmp_path / "cut.npy"
        cut.write_bytes(tokens.read_bytes()[:-1])
        refused(orbis(*given, cut), output, "truncated")


@pytest.mark.parametrize("seed", range(12))
def test_mutated_headers(tokens: Path, tmp_path: Path, seed: int) -> None:
    path, output = tmp_path / "mutated.npy", tmp_path / "out.npz"
    path.write_bytes(mutated(seed))
    refused(orbis("quantize", path, "-o", output), output, str(path))
    given = ["--num-dst", 1, "--reduce", 1, "--init", path, "-o", output]
    refused(orbis("match", tokens, *given), output, str(path))


BAD_OPTIONS: dict[str, tuple[list[object], str]] = {
    "M < 1": (["--num-dst", 0], "num_dst is 0; it must be at least 1"),
    "M < 0": (["--num-dst", -3], "num_dst is -3"),
    "M = N": (["--num-dst", 60], "less than the number of tokens, 60"),
    "M > N": (["--num-dst", 61], "less than the number of tokens, 60"),
    "K < 0": (["--reduce", -1], "reduce is -1; it must be at least 0"),
    "K > N - M": (["--reduce", 51], "60 - 10 = 50"),
    "epsilon < 0": (["--epsilon", -0.1], "epsilon is -0.1"),
    "epsilon = 1": (["--epsilon", 1], "epsilon is 1.0"),
    "epsilon nan": (["--epsilon", "nan"], "epsilon is nan"),
    "no pairing": (["--max-iterations", 0], "max_iterations is 0"),
    "seed < 0": (["--seed", -1], "seed is -1"),
    "seed too large": (["--seed", 2**32], "seed is 4294967296"),
    "scale group": (["--scale-group", 0], "scale_group is 0"),
    "preset": (["--preset", "huge"], f"preset is 'huge'; it must be one of {', '.join(PRESETS)}"),
}


@pytest.mark.parametrize("backend", ["golden", "rtl"])
@pytest.mark.parametrize("name", BAD_OPTIONS)
def test_bad_options(tokens: Path, tmp_path: Path, name: str, backend: str) -> None:
    options, rule = BAD_OPTIONS[name]
    output = tmp_path / "out.npz"
    given = ["--num-dst", 10, "--reduce", 10, "--backend", backend, *options, "-o", output]
    refused(orbis("match", tokens, *given), output, rule)


BAD_INITS: dict[str, tuple[Any, str]] = {
    "twice": ([1, 2, 1], "lists token 1 twice"),
    "beyond": ([1, 2, 60], "lists token 60; it must lie in 0..59"),
    "negative": ([1, 2, -1], "lists token -1"),
    "short": ([1, 2], "init lists 2 tokens; it must list num_dst = 3"),
    "long": ([1, 2, 3, 4], "init lists 4 tokens"),
    "floats": ([1.0, 2.0, 3.0], "float64"),
    "matrix": ([[1], [2], [3]], "shape [3, 1]"),
}


@pytest.mark.parametrize("backend", ["golden", "rtl"])
@pytest.mark.parametrize("name", BAD_INITS)
def test_bad_inits(tokens: Path, tmp_path: Path, name: str, backend: str) -> None:
    array, rule = BAD_INITS[name]
    first, output = tmp_path / "first.npy", tmp_path / "out.npz"
    np.save(first, np.array(array))
    given = ["--num-dst", 3, "--reduce", 3, "--init", first, "--backend", backend, "-o", output]
    refused(orbis("match", tokens, *given), output, rule)


def test_options_that_exclude_each_other(tokens: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.npz"
    given = ["match", tokens, "--num-dst", 3, "--reduce", 3, "-o", output]
    refused(orbis(*given, "--init", tokens, "--seed", 1), output, "exclude each other")
    refused(orbis(*given, "--init", tokens, "--spread"), output, "exclude each other")
    refused(orbis(*given, "--bits", "float", "--backend", "rtl"), output, "4-bit tokens only")
    refused(orbis(*given, "--bits", "float", "--scale-group", 4), output, "scale_group is 4")
    refused(orbis(*given, "--backend", "rtl", "--scale-group", 3), output, "scale_group is 3")


@pytest.mark.parametrize("backend", ["golden", "rtl"])
@pytest.mark.parametrize(
    ("shape", "num_dst", "rule"),
    [
        ((65, 8), 4, "65 tokens, but the engine holds at most 64"),
        ((9, 65), 4, "65 channels, but the engine holds at most 64"),
        ((1025, 8), 4, "1025 tokens, but the engine holds at most 64"),
        ((60, 8), 33, "33 dst tokens, but the engine holds at most 32"),
        ((9, 30_000), 4, "30000 channels, but the engine holds at most 64"),
    ],
)
def test_capacity(
    tmp_path: Path, shape: tuple[int, int], num_dst: int, rule: str, backend: str
) -> None:
    path, output = tmp_path / "tokens.npy", tmp_path / "out.npz"
    np.save(path, np.zeros(shape, np.float16))
    given = ["--num-dst", num_dst, "--reduce", 1, "--preset", "tiny", "--backend", backend]
    holding = [
        name for name, config in PRESETS.items()
        if shape[0] <= config.max_tokens and shape[1] <= config.max_channels
        and num_dst <= config.max_dst
    ]  # fmt: skip
    hint = f"; preset {holding[0]} would hold" if holding else "; no preset would hold"
    refused(orbis("match", path, *given, "-o", output), output, rule + hint)


def test_more_pairings_than_the_engine_counts(tokens: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.npz"
    given = ["--num-dst", 3, "--reduce", 3, "--max-iterations", 33, "-o", output]
    refused(orbis("match", tokens, *given, "--backend", "rtl"), output, "max_iterations is 33")
    assert orbis("match", tokens, *given).exit_code == 0


def test_unwritable_outputs(tokens: Path, tmp_path: Path) -> None:
    match = ("match", tokens, "--num-dst", 1, "--reduce", 1)
    for command in (match, ("quantize", tokens)):
        for output in (tmp_path / "none" / "out.npz", tokens / "out.npz", Path("/proc/out.npz")):
            refused(orbis(*command, "-o", output), output, "cannot be written to")
        result = orbis(*command, "-o", tmp_path)
        assert result.exit_code == 2
        assert "is a folder" in result.stderr
    refused(orbis("verilog", "-o", tokens / "out"), tokens / "out", "cannot be made")
    assert sorted(tmp_path.iterdir()) == [tokens]


def test_a_missing_compiler_is_one_sentence(
    tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORBIS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    output = tmp_path / "out.npz"
    given = ["--num-dst", 3, "--reduce", 3, "--preset", "tiny", "--backend", "rtl", "-o", output]
    refused(orbis("match", tokens, *given), output, "g++, make, perl not found")


def test_a_failed_simulation_is_one_sentence(
    tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise SimulationError("the engine ended with STATUS.bus_error.")

    monkeypatch.setattr("software.library.backends.rtl.RtlBackend.match", fail)
    output = tmp_path / "out.npz"
    given = ["--num-dst", 3, "--reduce", 3, "--backend", "rtl", "-o", output]
    refused(orbis("match", tokens, *given), output, "ended with STATUS.bus_error")


def test_a_refusals_cause_can_be_shown(tokens: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORBIS_TRACEBACK", "1")
    result = orbis("match", tokens, "--num-dst", 0, "--reduce", 0, "-o", tokens.parent / "out.npz")
    assert isinstance(result.exception, ValueError)


def test_usage_errors_exit_alike(tokens: Path) -> None:
    for arguments in (["match", tokens], ["match"], ["none"], ["quantize", tokens, "--bits", "5"]):
        assert orbis(*arguments).exit_code == 2


def test_presets() -> None:
    listed = json.loads(orbis("presets", "--json").stdout)
    assert set(listed) == set(PRESETS)
    for name, config in PRESETS.items():
        assert listed[name]["hash"] == f"{config.hash:#010x}"
        assert {field: listed[name][field] for field in config.as_dict()} == config.as_dict()
    table = orbis("presets").stdout
    assert "67,584" in table
    assert all(name in table for name in PRESETS)


def test_version_and_help() -> None:
    assert orbis("--version").stdout == "orbis 0.4.0\n"
    assert orbis().exit_code == 2
    for command in ("match", "quantize", "verilog"):
        assert f"Example: orbis {command}" in orbis(command, "--help").stdout


def test_help_does_not_wait_for_torch() -> None:
    script = (
        "import sys, software.commands.cli; print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
    )
    assert result.stdout == "False False\n"
