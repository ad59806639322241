"""``orbis video`` and ``train``: what they write, and what they refuse."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from software.commands.cli import app
from software.demo.geometry import LARGE
from software.demo.model import build_model


def orbis(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


FILES = ["metrics.json", "sheet.png", "video.gif", "video.mp4"]


def run_video(folder: Path, *options: object) -> dict[str, Any]:
    """Denoise in a few steps; the metrics that were written."""
    result = orbis("video", "--steps", 3, *options, "--json", "-o", folder)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in folder.iterdir()) == FILES
    metrics: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    assert json.loads(result.stdout) == {**metrics, "output": str(folder)}
    return metrics


def test_a_reduced_video(tmp_path: Path) -> None:
    metrics = run_video(tmp_path / "video", "--class", "bikes", "--seed", 2)
    assert metrics["class"] == "bikes"
    assert metrics["full_steps"] == 1
    assert metrics["matchings"] == 6  # a layer each
    assert metrics["iterations"] >= 6
    assert metrics["reduction_rc"] == pytest.approx(0.75, abs=1 / 512)
    assert metrics["reduction"] == pytest.approx(0.75 * 2 / 3, abs=1 / 512)
    assert 10 < metrics["psnr"] < 60
    assert 0.3 < metrics["ssim"] < 1
    seconds = metrics["seconds"]
    phases = seconds["attention"] + seconds["matching"] + seconds["other"]
    assert phases == pytest.approx(seconds["total"], abs=0.01)
    assert "cycles" not in metrics
    with Image.open(tmp_path / "video" / "sheet.png") as sheet:
        assert sheet.width > sheet.height > 400


def test_a_video_of_the_large_model(tmp_path: Path) -> None:
    model = tmp_path / "model"
    build_model(1, geometry=LARGE).save_pretrained(model)
    metrics = run_video(tmp_path / "video", "--weights", model, "--class", "woman")
    assert metrics["reduction_rc"] == pytest.approx(0.75, abs=1 / 1152)
    with Image.open(tmp_path / "video" / "video.gif") as gif:
        assert gif.size == (216, 216)
    result = orbis("video", "--weights", model, "--class", "dog", "-o", tmp_path / "out")
    refused(result, "it must be one of bunny, bikes, carphone, bird, burrow, pests, oak, woman")


def test_an_unreduced_video(tmp_path: Path) -> None:
    metrics = run_video(tmp_path, "--backend", "off")
    assert metrics["backend"] == "off"
    assert "psnr" not in metrics
    assert set(metrics["seconds_unreduced"]) == {"total", "attention", "matching", "other"}


def test_nothing_reduced_is_no_difference(tmp_path: Path) -> None:
    metrics = run_video(tmp_path, "--ratio", 0, "--matcher", "bsm")
    assert metrics["reduction"] == 0
    assert metrics["psnr"] is None or metrics["psnr"] > 80  # null where equal to the bit


def test_the_engine_gives_the_same_video(tmp_path: Path) -> None:
    golden, rtl = tmp_path / "golden", tmp_path / "rtl"
    expected = run_video(golden, "--steps", 2)
    metrics = run_video(rtl, "--steps", 2, "--backend", "rtl")
    for name in ("psnr", "ssim", "iterations", "reduction"):
        assert metrics[name] == expected[name]
    assert metrics["cycles"] > 6 * 10_000
    for name in ("video.gif", "sheet.png"):
        assert (rtl / name).read_bytes() == (golden / name).read_bytes()


REFUSED: dict[str, tuple[list[object], str]] = {
    "ratio that M does not allow": (
        ["--ratio", 0.76],
        "ratio is 0.76, but dst_fraction 0.25 leaves at most 0.75",
    ),
    "ratio that blocks do not allow": (["--ratio", 0.9, "--matcher", "bsm"], "ratio 0.9"),
    "ratio above 1": (["--ratio", 1.5], "ratio is 1.5"),
    "ratio below 0": (["--ratio", -0.1], "ratio is -0.1"),
    "no steps": (["--steps", 0], "steps is 0; it must be at least 1"),
    "no warm-up": (["--warm-up", 0], "warmup_steps is 0"),
    "rc steps": (["--rc-steps", -1], "rc_steps is -1"),
    "class": (["--class", "dog"], "class is 'dog'; it must be one of bunny, bikes, carphone"),
    "seed": (["--seed", -1], "seed is -1"),
    "M < 1": (["--num-dst", 0], "num_dst is 0"),
    "M = N": (["--num-dst", 512], "num_dst is 512"),
    "M with blocks": (["--num-dst", 9, "--matcher", "bsm"], "bsm has one dst a block"),
    "BSM in hardware": (["--matcher", "bsm", "--backend", "rtl"], "matcher is bsm"),
    "preset": (["--preset", "huge"], "preset is 'huge'"),
    "a preset too small": (["--preset", "tiny"], "tokens, but the engine holds at most 64; preset"),
    "scale group": (["--scale-group", 3, "--backend", "rtl"], "scale_group is 3"),
    "no model": (["--weights", "docs"], "docs"),
}


def refused(result: Result, rule: str) -> None:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("orbis: ")
    assert rule in result.stderr


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str, tmp_path: Path) -> None:
    options, rule = REFUSED[name]
    refused(orbis("video", *options, "-o", tmp_path / "out"), rule)
    assert not list(tmp_path.rglob("*.*"))


def test_unwritable_folders(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for command in ("video", "train"):
        for folder in (tmp_path / "file", tmp_path / "file" / "out", Path("/proc/out")):
            refused(orbis(command, "-o", folder), "cannot be made")


def test_training_the_large_model_without_its_clips(tmp_path: Path) -> None:
    result = orbis("train", "--model", "large", "--clips", tmp_path, "-o", tmp_path / "out")
    refused(result, "moviepy-2.2.1.tar.gz, which is not in")


def test_bad_budgets(tmp_path: Path) -> None:
    refused(orbis("train", "--minutes", 0, "-o", tmp_path), "minutes is 0.0")
    refused(orbis("train", "--minutes", "nan", "-o", tmp_path), "minutes is nan")
    assert not list(tmp_path.iterdir())
