"""Which calls are full: steps, passes, contexts, and where a run begins and ends."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from software.library.config import OrbisConfig, Restore
from software.library.matchers import MatchRequest, make_matcher
from software.library.reduction import apply_orbis
from software.tests.library.tiny_models import TINY, run
from software.tests.library.tiny_runs import CONFIG, COPYING, NAMES, Log, run_all, times


@pytest.mark.parametrize("restore", ["copy", "cache"])
@pytest.mark.parametrize("name", NAMES)
def test_guidance_in_one_batch_equals_guidance_in_two_contexts(name: str, restore: Restore) -> None:
    tiny = TINY[name]
    batched, separate = tiny.model(), tiny.model()
    config = replace(COPYING, restore=restore)
    log = Log(config)
    with apply_orbis(batched, config, matcher=log), apply_orbis(separate, config):
        for number, time in enumerate(times(6)):
            inputs = tiny.inputs(2, number)
            with batched.cache_context("cond_uncond"):  # type: ignore[operator]
                both = run(batched, inputs, time)
            for place, context in enumerate(("cond", "uncond")):
                one = {
                    key: value[place : place + 1]
                    if isinstance(value, Tensor) and len(value) == 2
                    else value
                    for key, value in inputs.items()
                }
                with separate.cache_context(context):  # type: ignore[operator]
                    alone = run(separate, one, time)
                torch.testing.assert_close(alone[0], both[place], atol=1e-5, rtol=1e-4)
    assert log.seen == [(step, layer) for step in (0, 4) for layer in (0, 0, 1, 1)]


def kinds_of(
    config: OrbisConfig, play: Callable[[nn.Module], object], *, name: str = "wan"
) -> tuple[int, int, list[int]]:
    """Full steps, reduced steps, and the numbers of the steps that matched."""
    model, log = TINY[name].model(), Log()
    with apply_orbis(model, config, matcher=log) as applied:
        play(model)
        return applied.usage.full_calls, applied.usage.reduced_calls, log.steps


def test_steps_are_full_and_reduced_as_the_config_says() -> None:
    tiny = TINY["wan"]
    config = OrbisConfig(warmup_steps=3, rc_steps=2, last_full_steps=2, num_steps=10)
    kinds = config.full_steps(10)
    full, reduced, matched = kinds_of(config, lambda model: run_all(tiny, model, 10))
    assert (full, reduced) == (kinds.count(True), kinds.count(False)) == (6, 4)
    assert matched == [2, 5]  # step 8 is one of the last two


def test_the_number_of_steps_comes_from_the_cache_context_where_the_pipeline_tells_it() -> None:
    tiny = TINY["wan"]

    def play(model: Any) -> None:
        for number, time in enumerate(times(4)):
            with model.cache_context("cond", step_index=number, num_inference_steps=4):
                run(model, tiny.inputs(1, number), time)

    config = OrbisConfig(warmup_steps=1, last_full_steps=1, num_steps=9)
    assert kinds_of(config, play) == (2, 2, [0])


def test_another_batch_makes_the_step_full_and_matches_again() -> None:
    tiny = TINY["cogvideox"]

    def play(model: nn.Module) -> None:
        for number, time in enumerate(times(6)):
            # Guidance ends after the third step: FC RC RC, then FC RC RC.
            run(model, tiny.inputs(2 if number < 3 else 1, number), time)

    assert kinds_of(CONFIG, play, name="cogvideox") == (2, 4, [0, 3])


def test_another_resolution_is_another_run() -> None:
    tiny = TINY["wan"]
    config = OrbisConfig(warmup_steps=2)

    def smaller(number: int) -> dict[str, Any]:
        inputs = tiny.inputs(1, number)
        return {**inputs, "hidden_states": inputs["hidden_states"][..., :6]}

    model, fresh, log = tiny.model(), tiny.model(), Log()
    with apply_orbis(model, config, matcher=log), apply_orbis(fresh, config):
        for number, time in enumerate((1000, 900, 800)):
            run(model, tiny.inputs(1, number), time)
        # Time goes on falling: the size alone tells.
        for number, time in enumerate((700, 600, 500)):
            assert torch.equal(run(model, smaller(number), time), run(fresh, smaller(number), time))
    assert log.seen == [(1, 0), (1, 1)] * 2


@pytest.mark.parametrize("calls", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("warmup", [1, 2])
def test_a_run_that_was_cut_short_is_not_continued_by_the_next(calls: int, warmup: int) -> None:
    tiny = TINY["wan"]
    config = OrbisConfig(warmup_steps=warmup)
    model, fresh = tiny.model(), tiny.model()
    with apply_orbis(model, config) as applied, apply_orbis(fresh, config):
        for number in range(calls):
            run(model, tiny.inputs(1, 20 + number), times(6)[number])
        if calls == 1:
            applied.reset()  # one call tells no direction; pipelines are told apart without it
        for one, two in zip(run_all(tiny, model, 6), run_all(tiny, fresh, 6), strict=True):
            assert torch.equal(one, two)


def test_a_failure_in_a_matching_call_leaves_no_half_matched_step() -> None:
    tiny = TINY["wan"]
    matcher = make_matcher(CONFIG)
    fail = True

    def failing(shown: Tensor, request: MatchRequest) -> Any:
        if fail and request.layer == 1:
            raise MemoryError
        return matcher(shown, request)

    model = tiny.model()
    with apply_orbis(model, CONFIG, matcher=failing) as applied:
        with pytest.raises(MemoryError):
            run(model, tiny.inputs(1, 0), 1000)
        fail = False
        run(model, tiny.inputs(1, 1), 900)
        run(model, tiny.inputs(1, 2), 800)
        assert (applied.usage.full_calls, applied.usage.reduced_calls) == (1, 1)


def test_passes_without_a_cache_context_are_told_apart_by_their_place_in_the_step() -> None:
    tiny = TINY["wan"]
    model, separate = tiny.model(), [tiny.model(), tiny.model()]
    log = Log()
    with (
        apply_orbis(model, CONFIG, matcher=log),
        apply_orbis(separate[0], CONFIG),
        apply_orbis(separate[1], CONFIG),
    ):
        for number, time in enumerate(times(6)):
            for place, alone in enumerate(separate):
                inputs = tiny.inputs(1, number + 10 * place)
                assert torch.equal(run(model, inputs, time), run(alone, inputs, time))
    assert log.seen == [(step, layer) for step in (0, 4) for _ in range(2) for layer in (0, 1)]


def test_the_end_of_a_pipeline_resets_every_context() -> None:
    tiny = TINY["mochi"]

    def play(model: Any) -> None:
        for number in range(2):
            run(model, tiny.inputs(1, number), 900 - number)
        model._reset_stateful_cache()  # what pipelines call at their end
        run(model, tiny.inputs(1, 5), 800)

    assert kinds_of(CONFIG, play, name="mochi") == (2, 1, [0])


def test_a_warm_start_is_handed_each_layers_and_videos_last_match() -> None:
    tiny = TINY["wan"]
    matcher = make_matcher(CONFIG)
    handed: list[Any] = []
    found: list[Any] = []

    def noting(shown: Tensor, request: MatchRequest) -> Any:
        handed.append(request.previous)
        found.append(matcher(shown, request))
        return found[-1]

    for warm_start in (True, False):
        handed.clear()
        found.clear()
        config = OrbisConfig(warmup_steps=1, warm_start=warm_start)
        with apply_orbis(model := tiny.model(), config, matcher=noting):
            run_all(tiny, model, 5, batch=2)
        # Layer 0's two videos, then layer 1's; the second time all four again in this order.
        assert handed[:4] == [None] * 4
        for before, after in zip(found[:4], handed[4:], strict=True):
            assert after is (before if warm_start else None)
