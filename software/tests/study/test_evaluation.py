"""``orbis evaluate``: every section from a tiny untrained model, and what the command refuses."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from software.commands.cli import app
from software.demo import geometry
from software.demo.model import build_model
from software.demo.prompt import CLASSES
from software.study.evaluation import lpips, matters, optimum, page, report, settings
from software.study.evaluation.ablation import CHOICES
from software.study.evaluation.experiment import FULL, QUICK, Experiment
from software.study.evaluation.judges import JUDGES, LONG, Judge
from software.study.evaluation.methods import METHODS
from software.study.evaluation.ways import WAYS
from software.study.evaluation.workers import Found, measure_all

SHORTEST = Judge("20 steps", 4, (0.4,), labels=(0, 2))
GUIDED = Judge("20 steps, guided", 4, (0.4,), scale=2.0, labels=(1,))
SMALL = Experiment(
    seeds=1, judge=SHORTEST, judges=(SHORTEST, GUIDED), ratios=(0.2, 0.38), warmup_steps=1,
    rc_steps=1,
)  # fmt: skip
REDUCED_STEPS = 2
FILES = ["evaluation.html", "evaluation.json", "evaluation.png", "frontier.png"]


class Measured(NamedTuple):
    weights: Path
    found: Found
    result: dict[str, Any]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    model = build_model(1, seed=1)
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(model.proj_out.weight.shape, generator=generator) / 10
    model.proj_out.weight.data.copy_(weight)
    weights = tmp_path_factory.mktemp("weights")
    model.save_pretrained(weights)
    told: list[str] = []
    tasks = report.tasks(SMALL)
    found = measure_all({geometry.SMALL: weights}, tasks, 1, told.append)
    assert len(told) == len(found) == len(tasks)
    own = SHORTEST.runs(1, settings.FIRST_SEED) + GUIDED.runs(1, settings.FIRST_SEED)
    assert {*told} == {str(run) for run in (*SMALL.runs, *GUIDED.runs(1), *own)}
    return Measured(weights, found, report.summary(SMALL, found))


def numbers(content: object) -> Iterator[float]:
    """Every number within a JSON value."""
    if isinstance(content, dict):
        content = list(content.values())
    if isinstance(content, list | tuple):
        for part in content:
            yield from numbers(part)
    elif isinstance(content, int | float):
        yield content


def test_all_figures_are_finite(measured: Measured) -> None:
    assert all(map(math.isfinite, numbers(measured.result)))


def test_every_method_is_measured_at_every_ratio(measured: Measured) -> None:
    methods = measured.result["methods"]
    assert [row["name"] for row in methods] == [method.name for method in METHODS]
    for row in methods:
        assert [point["ratio"] for point in row["ratios"]] == list(SMALL.ratios)
        assert 0 < row["step_psnr"] < 100
        for point in row["ratios"]:
            dropped = round(point["ratio"] * 512) / 512
            assert point["reduction_rc"] == pytest.approx(dropped, abs=1e-4)
            share = REDUCED_STEPS / SMALL.steps
            assert point["reduction"] == pytest.approx(dropped * share, abs=1e-4)
            assert len(point["runs"]) == len(SMALL.runs)
            assert point["psnr"] == pytest.approx(fmean(point["runs"]), abs=1e-3)
            one, other = point["runs"]
            assert point["psnr_error"] == pytest.approx(abs(one - other) / 2, abs=1e-3)
            assert 0 < point["ssim"] <= 1


def test_every_choice_is_measured(measured: Measured) -> None:
    rows = measured.result["ablation"]
    assert [(row["subject"], row["choice"]) for row in rows] == [
        (subject, choice) for subject, choices in CHOICES.items() for choice, _ in choices
    ]
    ours = [row for row in rows if row["ours"]]
    assert [row["subject"] for row in ours] == list(CHOICES)
    table = measured.result["methods"]
    same = next(row for row in table if row["name"] == "DATM 4-bit on output")["ratios"][-1]
    assert all(row["runs"] == same["runs"] for row in ours)
    pairings = {row["choice"]: row["pairings"] for row in rows if "epsilon" in row["subject"]}
    assert list(pairings) == ["0", "0.001", "0.01", "0.1"]
    assert sorted(pairings.values(), reverse=True) == list(pairings.values())
    assert pairings["0"] > pairings["0.1"] > 1


def test_every_way_is_judged_at_every_ratio(measured: Measured) -> None:
    judges = measured.result["frontier"]
    assert [row["name"] for row in judges] == [judge.name for judge in SMALL.judges]
    for row in judges:
        assert [way["name"] for way in row["ways"]] == [way.name for way in WAYS]
        for way, told in zip(WAYS, row["ways"], strict=True):
            assert [point["ratio"] for point in told["points"]] == list(way.ratios)
            for point in told["points"]:
                dropped = round(point["ratio"] * 512) / 512
                assert point["reduction_rc"] == pytest.approx(dropped, abs=1e-4)
                assert len(point["runs"]) == len(row["runs"])
                assert 0 <= point["work"] < 1
                assert 0 < point["memory"] < 1.02
    broadcast = judges[0]["ways"][-1]["points"][0]
    assert (broadcast["work"], broadcast["memory"]) == (0, pytest.approx(1.0129, abs=1e-4))
    for claim in measured.result["claims"]:
        assert claim["judge"] in claim["sentence"]


def test_matching_and_settings_are_measured_on_the_judges_that_they_name(
    measured: Measured,
) -> None:
    rows = measured.result["matters"]
    assert [(row["judge"], row["ratio"], row["dst_fraction"]) for row in rows] == [
        (judge.name, *point) for judge in SMALL.judges for point in matters.JUDGED[judge.name]
    ]
    for row in rows:
        for name, (gain, _) in row["gains"].items():
            assert gain == pytest.approx(row["psnr"]["spread"] - row["psnr"][name], abs=1e-3)
    found = measured.result["settings"]
    ours = [row for row in found if (row["gain"], row["bits"], row["most_pairings"]) ==
            (0.9375, 4, 20)]  # fmt: skip
    assert [(row["judge"], row["ratio"]) for row in ours] == [
        (judge.name, ratio) for judge in SMALL.judges for ratio in settings.RATIOS
    ]
    assert {row["bits"] for row in found} == {2, 4}


def test_likeness_and_pairs(measured: Measured) -> None:
    for guide in ("previous_output", "input"):
        for entry in measured.result["similarity"][guide].values():
            assert np.shape(entry["by_layer_and_step"]) == (1, SMALL.steps - 1)
            assert -1 <= entry["mean"] <= 1
    for entry in measured.result["pairs"]["methods"].values():
        src = [src for src, _ in entry["pairs"]]
        assert len({*src}) == len(src) == 195
        assert not {*src} & {dst for _, dst in entry["pairs"]}


def test_loss_never_rises(measured: Measured) -> None:
    curves = measured.result["iterations"]
    assert curves["cold"]["loss"][0] == 1
    for curve in curves.values():
        assert sorted(curve["loss"], reverse=True) == curve["loss"]
        assert all(0 <= share <= 1 for share in curve["moved"])


def test_datm_lies_between_fasterpam_and_random_dst(measured: Measured) -> None:
    rows = measured.result["optimum"]["rows"]
    assert len(rows) == 2 * len(optimum.DST_FRACTIONS)
    for datm, random in zip(rows[::2], rows[1::2], strict=True):
        assert (datm["matching"], random["matching"]) == ("DATM float", "random dst")
        assert -0.01 < datm["all"] < random["all"]
        assert datm["kept"] < random["kept"]


def test_pair_losses_by_hand() -> None:
    position = np.array([0.0, 1.0, 3.0, 10.0, 12.0])
    squared = (position[:, None] - position) ** 2
    assert optimum.pair_losses(squared, torch.tensor([0, 3]), 2) == [1 + 4, 1 + 4 + 9]


def test_what_is_missing_is_said(
    measured: Measured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lpips.missing.cache_clear()
    for module in (optimum, lpips):
        monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert optimum.tasks(SMALL) == []
    result = report.summary(SMALL, measured.found)
    assert result["optimum"] == {"missing": "kmedoids is not installed"}
    assert result["lpips_missing"] == "torchvision is not installed"
    text = page.render(SMALL, measured.found, result, b"", page.frontier_pictures(result))
    assert "Not measured: kmedoids is not installed." in text
    assert "LPIPS was not measured: torchvision is not installed." in text

    lpips.missing.cache_clear()
    monkeypatch.setattr(lpips, "find_spec", lambda name: "found")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    assert "AlexNet's weights" in (lpips.missing() or "")
    lpips.missing.cache_clear()


def test_the_command_writes_the_same_with_two_jobs(
    measured: Measured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("software.study.evaluation.experiment.QUICK", SMALL)
    done = orbis("--quick", "--weights", measured.weights, "--jobs", 2, "-o", tmp_path)
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    assert (tmp_path / "evaluation.json").read_text() == json.dumps(
        measured.result, indent=2
    ) + "\n"
    picture = (tmp_path / "evaluation.png").read_bytes()
    assert picture == page.headline_picture(measured.result)
    text = (tmp_path / "evaluation.html").read_text()
    for section in ("headline", "frontier", "matters", "settings", "ratios", "table-1", "table-2",
                    "figure-3", "figure-4", "iterations", "optimum"):  # fmt: skip
        assert f'<section id="{section}"' in text
    assert text.count("data:image/png;base64,") == 9
    assert "http" not in text  # nothing comes from a network
    for sentence in measured.result["headline"]["multiples"]:
        assert sentence in done.stdout
    for claim in measured.result["claims"]:
        assert claim["sentence"] in done.stdout


def orbis(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (["--seeds", 0], "seeds is 0; it must be at least 1."),
        (["--quick", "--jobs", 0], "jobs is 0; it must be at least 1."),
        (["--weights", "docs"], "docs holds no model"),
        (["-o", "/proc/out"], "cannot be made"),
    ],
)
def test_refusals(options: list[object], rule: str, tmp_path: Path) -> None:
    done = orbis("-o", tmp_path / "out", *options)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert rule in done.stderr
    assert not list(tmp_path.rglob("*.*"))


def test_plans_that_measure_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="labels is empty"):
        Experiment(judge=replace(LONG, labels=()))
    with pytest.raises(ValueError, match=r"ratio is 0.38; it must be one of \(0.2,\)"):
        Experiment(ratios=(0.2,))
    with pytest.raises(ValueError, match="6 steps with 2 full ones at the start match 1 times"):
        Experiment(judge=replace(LONG, steps=6), warmup_steps=2)
    with pytest.raises(ValueError, match="seeds is 11; it must be at most 10: those beyond chose"):
        Experiment(seeds=11)


def test_the_full_plan_sees_every_moment_of_every_class() -> None:
    prompts = {run.prompt for run in FULL.runs}
    assert len(prompts) == len(CLASSES) * len(LONG.moments)
    assert len(QUICK.runs) < len(FULL.runs)
    for judge in JUDGES:
        runs = judge.runs(FULL.seeds)
        assert len({*runs}) == (9 if judge.geometry == geometry.SMALL else 6)
        assert not {*runs} & {*judge.runs(FULL.seeds, settings.FIRST_SEED)}
