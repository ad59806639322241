from typing import Any

import pytest
import torch
from torch import Tensor

from golden.options import MatchOptions
from software.demo.diffusion import TimeGrid, denoise
from software.demo.model import build_model, velocity
from software.demo.prompt import Prompt
from software.demo.recording import recording
from software.library.backends import make_backend
from software.library.config import Guide, OrbisConfig
from software.library.matchers import DatmMatcher, MatchRequest


def small_model() -> Any:
    """One layer with weights that make its attention and prediction visible."""
    model = build_model(1, seed=1).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    model.proj_out.weight.copy_(torch.randn(model.proj_out.weight.shape, generator=generator) / 10)
    return model


@pytest.mark.parametrize(("steps", "spacing"), [(0, 1.0), (3, 0.0)])
def test_a_grid_that_leads_nowhere_is_refused(steps: int, spacing: float) -> None:
    with pytest.raises(ValueError, match=r"steps is 0; it must be|spacing is 0\.0; it must be"):
        TimeGrid(steps, spacing)


def test_the_loop_is_eulers_method_from_the_seeds_noise() -> None:
    model = small_model()
    prompt = Prompt(2, 0.7)
    found = denoise(model, prompt, 5, TimeGrid(3))
    video = torch.randn(1, 8, 3, 48, 48, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        for step in range(3):
            video += velocity(model, video, torch.tensor([step / 3]), prompt.tokens) / 3
    torch.testing.assert_close(found.video, video[0].clamp(-1, 1))
    assert found.full_steps == 3
    assert found.reduction == found.timing.attention == found.timing.matching == 0


def test_a_recorded_run_is_the_same_run_and_sees_every_layer_and_step() -> None:
    model = small_model()
    plain = denoise(model, Prompt(0), 1, TimeGrid(4))
    with recording(model) as seen:
        recorded = denoise(model, Prompt(0), 1, TimeGrid(4))
    assert torch.equal(plain.video, recorded.video)
    assert list(seen.inputs) == list(seen.outputs) == [(step, 0) for step in range(4)]
    assert all(
        tokens.shape == (512, 128) for tokens in [*seen.inputs.values(), *seen.outputs.values()]
    )
    shown = []

    def keep(tokens: Tensor, request: MatchRequest) -> Any:
        shown.append(tokens)
        return DatmMatcher(make_backend("golden"))(tokens, request)

    config = OrbisConfig(warmup_steps=3)
    denoise(model, Prompt(0), 1, TimeGrid(4), config=config, matcher=keep)
    assert torch.equal(shown[0], seen.outputs[2, 0])


@pytest.mark.parametrize("guide", ["output", "input"])
def test_reduction_is_reported_and_reproducible(guide: Guide) -> None:
    model, calls = small_model(), []
    config = OrbisConfig(warmup_steps=1, guide=guide, seed=4)
    results = []
    for _ in range(2):
        matcher = DatmMatcher(make_backend("golden"), MatchOptions(seed=4, spread=True))
        results.append(
            denoise(
                model, Prompt(1), 4, TimeGrid(6), config=config, matcher=matcher,
                progress=lambda *state: calls.append(state),
            )
        )  # fmt: skip
        assert matcher.calls == 2
        assert matcher.iterations >= 4
    first, second = results
    assert torch.equal(first.video, second.video)
    named = denoise(model, Prompt(1), 4, TimeGrid(6), config=config)
    assert torch.equal(first.video, named.video)
    assert not torch.equal(first.video, denoise(model, Prompt(1), 4, TimeGrid(6)).video)
    assert first.reduction_rc == pytest.approx(0.75)
    assert first.reduction == pytest.approx(0.75 * 4 / 6)
    assert first.full_steps == 2
    assert [full for *_, full in calls[:6]] == [True, False, False, False, True, False]
    assert calls[5] == (6, 6, False)
    timing = first.timing
    assert min(timing.attention, timing.matching, timing.other) > 0
    assert timing.attention + timing.matching + timing.other == pytest.approx(timing.total)


def test_an_unreduced_runs_warm_up_can_be_taken_over() -> None:
    model = small_model()
    run = (model, Prompt(1), 4, TimeGrid(8))
    unreduced = denoise(*run)
    for config in (
        OrbisConfig(warmup_steps=3, rc_steps=2, last_full_steps=1, warm_start=True),
        OrbisConfig(warmup_steps=1, matcher="bsm"),
        OrbisConfig(warmup_steps=9),
    ):
        whole = denoise(*run, config=config)
        later = denoise(*run, config=config, unreduced=unreduced)
        for one, other in zip(whole.states, later.states, strict=True):
            assert torch.equal(one, other)
        assert later.full_steps == whole.full_steps
        assert later.reduction == pytest.approx(whole.reduction)
        assert later.reduction_rc == whole.reduction_rc
