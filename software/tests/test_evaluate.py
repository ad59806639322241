import math
from statistics import fmean
from typing import Any

import pytest
import torch

from software.evaluate import QualityConfig, evaluate_quality, methods, to_markdown
from software.model import build_model

SMALL = QualityConfig(seeds=(0,), labels=(0, 2), moments=(0.4,), steps=3, warm_up=1)
Result = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def result() -> Result:
    model = build_model(1, seed=1).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    model.proj_out.weight.copy_(torch.randn(model.proj_out.weight.shape, generator=generator) / 10)
    return evaluate_quality(model, SMALL)


def test_every_method_is_measured_on_every_run(result: Result) -> None:
    assert list(result["methods"]) == [method.name for method in methods(QualityConfig())]
    for row in result["methods"].values():
        assert len(row["runs"]) == 2
        assert all(math.isfinite(value) and value > 0 for value in row["runs"])
        assert 0 < row["step_psnr"] < 100
        assert row["psnr"] == pytest.approx(fmean(row["runs"]), abs=1e-3)
        assert row["reduction_rc"] == pytest.approx(195 / 512, abs=1e-4)
        assert row["reduction"] == pytest.approx(195 / 512 * 2 / 3, abs=1e-4)


def test_the_cosines_are_those_of_two_different_things(result: Result) -> None:
    cosines = result["cosines"]
    assert cosines["previous_output"] != cosines["input"]
    assert all(0 < value <= 1 for value in cosines.values())


def test_the_table_names_command_and_methods(result: Result) -> None:
    text = to_markdown(result, "the command")
    assert text.startswith(
        "Made by `the command`: mean over seeds 0 of each of 2 classes at moments 0.4, 3 steps"
    )
    for name, row in result["methods"].items():
        figures = f"{row['psnr']:.2f} | {row['ssim']:.3f} | {row['step_psnr']:.2f}"
        assert f"| {name} | {figures} |" in text
