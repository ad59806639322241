"""Figures of pages that follow from what files hold."""

from typing import Any

import pytest

from hw.config import PRESETS
from software.study.exploration.points import Workload, timing
from software.study.exploration.space import DEFAULT_AXES, space_of
from software.study.figures.findings import ARRANGEMENTS, arranged, scales_of
from system.arrangement import layer_match
from system.engine_shape import EngineShape
from system.match_statistics import measured
from system.memory import Memory
from system.models import MODELS


def layer(preset: str, name: str) -> tuple[Workload, dict[str, Any]]:
    model = MODELS[name]
    work = Workload(name, model.video_tokens, model.width, model.num_dst, model.reduce, model)
    return work, timing(PRESETS[preset], work, measured(name), Memory())


def test_engines_that_serve_several_instances() -> None:
    """As the arrangement itself has it; the slower model counts, and the one with more traffic."""
    layers = {name: layer("quad", name)[1] for name in MODELS}
    area = {"mm2": {"28": 0.38}, "share_of_instance": 0.038}
    exploration = {"points": [{"preset": "quad", "area": area, "layers": layers}]}
    found = arranged(exploration, "quad", 10)
    expected = []
    for name, model in MODELS.items():
        job = layer("quad", name)[0].job(EngineShape.from_dict(PRESETS["quad"].as_dict()))
        expected.append(layer_match(job, measured(name), Memory(), "own", model, 10))
    assert found["margin"] == pytest.approx(min(each.margin or 0 for each in expected))
    assert found["bandwidth_share"] == pytest.approx(max(each.bandwidth_share for each in expected))
    assert found["utilisation"] == min(each.utilisation for each in expected)
    assert found["mm2"] == pytest.approx(0.1)
    assert found["share_of_instance"] == pytest.approx(0.01)


@pytest.mark.parametrize("preset", ARRANGEMENTS)
def test_an_arrangement_is_of_an_engine_that_was_explored(preset: str) -> None:
    assert PRESETS[preset] in space_of(PRESETS["paper"], DEFAULT_AXES).configs


def test_quantisers_against_the_exact_one() -> None:
    quality = {"psnr": 40.0, "gain": -0.5, "error": 0.1}
    points = [
        {"config": {"scale_group": group, "weight_bits": 8}, "quality": quality}
        for group in (16, 1, 16)
    ]
    assert scales_of({"points": points}) == [{"scale_group": 16, "weight_bits": 8, **quality}]
    assert scales_of({"points": [{**points[0], "quality": None}]}) == []
