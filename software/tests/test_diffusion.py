from typing import Any

import pytest
import torch

from software.backends import make_backend
from software.diffusion import Schedule, denoise
from software.evaluate import Recorder
from software.matchers import BsmMatcher, DatmMatcher
from software.model import GRID, build_model, velocity
from software.prompt import Prompt


def small_model() -> Any:
    """One layer with weights that make its attention and prediction visible."""
    model = build_model(1, seed=1).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    model.proj_out.weight.copy_(torch.randn(model.proj_out.weight.shape, generator=generator) / 10)
    return model


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Schedule(9), "FRRRFRRRF"),
        (Schedule(9, warm_up=3), "FFFRRRFRR"),
        (Schedule(4, rc_steps=0), "FFFF"),
        (Schedule(5, rc_steps=1), "FRFRF"),
        (Schedule(2, warm_up=8), "FF"),
    ],
)
def test_full_steps_come_where_the_schedule_says(schedule: Schedule, expected: str) -> None:
    assert "".join("F" if full else "R" for full in schedule) == expected


@pytest.mark.parametrize(("name", "least"), [("steps", 1), ("warm_up", 1), ("rc_steps", 0)])
def test_a_schedule_below_its_least_is_refused(name: str, least: int) -> None:
    with pytest.raises(ValueError, match=f"{name} is {least - 1}; it must be at least {least}"):
        Schedule(**{name: least - 1})


def test_the_loop_is_eulers_method_from_the_seeds_noise() -> None:
    model = small_model()
    prompt = Prompt(2, 0.7)
    found = denoise(model, prompt, 5, Schedule(3))
    video = torch.randn(1, 8, 3, 48, 48, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        for step in range(3):
            video += velocity(model, video, torch.tensor([step / 3]), prompt.tokens) / 3
    torch.testing.assert_close(found.video, video[0].clamp(-1, 1))
    assert found.full_steps == 3
    assert found.reduction == found.timing.attention == found.timing.matching == 0


def test_matching_without_pairs_changes_no_bit_and_leaves_the_model_as_it_was() -> None:
    model, recorder = small_model(), Recorder()
    plain = denoise(model, Prompt(0), 1, Schedule(4))
    matched = denoise(model, Prompt(0), 1, Schedule(4), matcher=recorder)
    again = denoise(model, Prompt(0), 1, Schedule(4))
    assert torch.equal(plain.video, matched.video)
    assert torch.equal(plain.video, again.video)
    assert list(recorder.seen) == [(0, 0)]  # step 0 is the one full step of four


@pytest.mark.parametrize("guide", ["output", "input"])
def test_reduction_is_reported_and_reproducible(guide: str) -> None:
    model, calls = small_model(), []
    results = []
    for _ in range(2):
        matcher = DatmMatcher(make_backend("golden"), 128, 195, seed=4)
        results.append(
            denoise(
                model, Prompt(1), 4, Schedule(5), matcher=matcher, guide=guide,  # type: ignore[arg-type]
                progress=lambda *state: calls.append(state),
            )
        )  # fmt: skip
        assert matcher.calls == 2
        assert matcher.iterations >= 4
    first, second = results
    assert torch.equal(first.video, second.video)
    assert not torch.equal(first.video, denoise(model, Prompt(1), 4, Schedule(5)).video)
    assert first.reduction_rc == pytest.approx(195 / 512)
    assert first.reduction == pytest.approx(195 / 512 * 3 / 5)
    assert first.full_steps == 2
    assert calls[:5] == [(1, 5, True), (2, 5, False), (3, 5, False), (4, 5, False), (5, 5, True)]
    timing = first.timing
    assert min(timing.attention, timing.matching, timing.other) > 0
    assert timing.attention + timing.matching + timing.other == pytest.approx(timing.total)


def test_only_full_steps_that_a_reduced_one_follows_are_matched() -> None:
    matcher = BsmMatcher(GRID, 100)
    denoise(
        small_model(), Prompt(0), 1, Schedule(8, warm_up=3), matcher=matcher
    )  # F F F+ R R R F+ R
    assert matcher.calls == 2


def test_a_warm_start_begins_with_the_medoids_of_the_step_before() -> None:
    tokens = torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
    warm = DatmMatcher(make_backend("golden"), 16, 20, warm_start=True)
    cold = DatmMatcher(make_backend("golden"), 16, 20)
    first = warm(tokens, 0, 0)
    assert warm(tokens, 0, 4).loss_history[0] == first.loss_history[-1] < first.loss_history[0]
    assert torch.equal(first.src, cold(tokens, 0, 0).src)
    assert not torch.equal(cold(tokens, 0, 0).medoids, cold(tokens, 1, 0).medoids)


def test_bsm_draws_anew_for_each_layer_and_step_but_the_same_for_a_seed() -> None:
    tokens = torch.randn(512, 8, generator=torch.Generator().manual_seed(0))
    matcher = BsmMatcher(GRID, 100, seed=3)
    first, other = matcher(tokens, 0, 0), matcher(tokens, 1, 0)
    assert torch.equal(first.src, BsmMatcher(GRID, 100, seed=3)(tokens, 0, 0).src)
    assert not torch.equal(first.medoids, other.medoids)
    assert len(first.src) == 100
