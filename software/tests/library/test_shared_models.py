"""One transformer in several hands: threads, pipelines, previews, and times that tell no step."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from diffusers import (
    CogVideoXPipeline,
    FlowMatchHeunDiscreteScheduler,
    WanPipeline,
    WanVideoToVideoPipeline,
)
from torch import Tensor

from software.library.config import OrbisConfig
from software.library.reduction import AppliedOrbis, apply_orbis, orbis_summary
from software.library.reduction.step_counter import MOST_PASSES
from software.tests.library.tiny import normal
from software.tests.library.tiny_models import TINY, run
from software.tests.library.tiny_pipelines import PIPELINES
from software.tests.library.tiny_runs import CONFIG, Log, run_all

QUARTER = OrbisConfig(last_full_steps=1)
"""Its full steps depend on how many a run has."""


def wan_pipeline(transformer: Any = None) -> Any:
    """A pipeline with a scheduler of its own, around a transformer that others may have too."""
    pipe = PIPELINES["wan"].pipe()
    if transformer is None:
        return pipe
    return silent(WanPipeline(None, None, None, pipe.scheduler, transformer))


def silent(pipe: Any) -> Any:
    pipe.set_progress_bar_config(disable=True)
    return pipe


def video_to_video(transformer: Any = None, scheduler: Any = None) -> Any:
    """Wan's video-to-video, which enters no cache context, around the same."""
    pipe = wan_pipeline(transformer)
    return silent(
        WanVideoToVideoPipeline(None, None, pipe.transformer, None, scheduler or pipe.scheduler)
    )


def generate(pipe: Any, steps: int, *, guided: bool = False, **more: Any) -> Tensor:
    """Latents of a call of either pipeline."""
    tiny = PIPELINES["wan"]
    given = {**tiny.given, **(tiny.guided if guided else {}), **more}
    if isinstance(pipe, WanVideoToVideoPipeline):
        del given["num_frames"]
        given |= {"latents": normal(3, 1, 16, 3, 8, 10), "strength": 1.0}
    found: Tensor = pipe(
        num_inference_steps=steps, output_type="latent", return_dict=False,
        generator=torch.Generator().manual_seed(steps), **given,
    )[0]  # fmt: skip
    return found


def alone(steps: int, *, guided: bool = False, make: Callable[[], Any] = wan_pipeline) -> Tensor:
    """What a pipeline generates that shares nothing."""
    pipe = make()
    apply_orbis(pipe, QUARTER)
    return generate(pipe, steps, guided=guided)


def in_turns(count: int) -> Callable[..., dict[str, Any]]:
    """A callback that lets two threads go on by turns, for their first steps."""
    barrier = threading.Barrier(2, timeout=60)

    def wait(pipe: object, step: int, *_: object) -> dict[str, Any]:
        if step < count:
            barrier.wait()
        return {}

    return wait


def test_threads_with_pipelines_of_their_own_share_a_transformer() -> None:
    """One guides in two passes, the other does not; their steps alternate."""
    first = wan_pipeline()
    second = wan_pipeline(first.transformer)
    apply_orbis(first, QUARTER)
    turns = in_turns(5)
    with ThreadPoolExecutor(2) as pool:
        found = [
            pool.submit(generate, pipe, steps, guided=guided, callback_on_step_end=turns)
            for pipe, steps, guided in ((first, 8, True), (second, 6, False))
        ]
    assert torch.equal(found[0].result(), alone(8, guided=True))
    assert torch.equal(found[1].result(), alone(6))
    kinds = [QUARTER.full_steps(steps) for steps in (8, 8, 6)]
    usage = orbis_summary(first).usage
    assert usage.full_calls == sum(kind.count(True) for kind in kinds)
    assert usage.reduced_calls == sum(kind.count(False) for kind in kinds)


def test_threads_share_a_transformer_without_pipelines() -> None:
    tiny = TINY["wan"]
    model = tiny.model()
    expected = []
    for batch in (1, 2):
        with apply_orbis(model, CONFIG):
            expected.append(run_all(tiny, model, 6, batch=batch))
    barrier = threading.Barrier(2, timeout=60)

    def steps(batch: int) -> list[Tensor]:
        found = []
        for number in range(6):
            barrier.wait()
            found.append(run(model, tiny.inputs(batch, number), 1000 - 1000 * number / 6))
        return found

    with apply_orbis(model, CONFIG), ThreadPoolExecutor(2) as pool:
        for found, wanted in zip(pool.map(steps, (1, 2)), expected, strict=True):
            assert all(map(torch.equal, found, wanted))


def test_each_pipeline_of_a_transformer_has_its_own_number_of_steps() -> None:
    first = wan_pipeline()
    second = video_to_video(first.transformer)
    apply_orbis(first, QUARTER)
    for steps in (8, 4, 6):
        assert torch.equal(generate(first, steps), alone(steps))
        expected = alone(12 - steps, make=video_to_video)
        assert torch.equal(generate(second, 12 - steps), expected)


@pytest.mark.parametrize("guided", [False, True])
def test_a_preview_inside_a_callback_disturbs_nothing(guided: bool) -> None:
    outer = wan_pipeline()
    preview = wan_pipeline(outer.transformer)
    apply_orbis(outer, QUARTER)
    seen: list[Tensor] = []

    def show(pipe: object, step: int, *_: object) -> dict[str, Any]:
        if step in (2, 3, 5):
            seen.append(generate(preview, 4, guided=not guided))
        return {}

    found = generate(outer, 8, guided=guided, callback_on_step_end=show)
    assert torch.equal(found, alone(8, guided=guided))
    assert len(seen) == 3
    assert all(torch.equal(each, alone(4, guided=not guided)) for each in seen)


@pytest.mark.parametrize("same", ["pipeline", "scheduler"])
def test_a_preview_that_takes_the_schedulers_place_is_refused(same: str) -> None:
    """Diffusers' ``from_pipe`` shares the scheduler; the run that it is made in is lost."""
    pipe = PIPELINES["cogvideox"].pipe()
    preview = pipe if same == "pipeline" else silent(CogVideoXPipeline.from_pipe(pipe))
    calls: list[int] = []

    def show(_: object, step: int, *__: object) -> dict[str, Any]:
        if step == 3:
            pipe.transformer.register_forward_hook(lambda *_: calls.append(1))
            PIPELINES["cogvideox"].run(preview, guided=False)
        return {}

    apply_orbis(pipe, QUARTER)
    with pytest.raises(RuntimeError, match="runs inside another run of its scheduler"):
        PIPELINES["cogvideox"].run(pipe, guided=False, callback_on_step_end=show)
    assert not calls
    # One after the other they share it as ever.
    first = PIPELINES["cogvideox"].run(pipe, guided=False)
    assert torch.equal(PIPELINES["cogvideox"].run(preview, guided=False), first)


def test_a_method_that_calls_another_is_one_run() -> None:
    class Theirs(WanPipeline):
        """A pipeline of a user's own."""

        def __call__(self, **given: Any) -> Any:
            return super().__call__(**given)

    plain = wan_pipeline()
    pipe = silent(Theirs(None, None, None, plain.scheduler, plain.transformer))
    apply_orbis(pipe, QUARTER)
    assert torch.equal(generate(pipe, 8), alone(8))


def test_each_step_may_have_a_thread_of_its_own() -> None:
    tiny = TINY["wan"]
    model = tiny.model()
    with apply_orbis(model, CONFIG):
        expected = run_all(tiny, model, 6)
    found: list[Tensor] = []

    def step(number: int) -> None:
        found.append(run(model, tiny.inputs(1, number), 1000 - 1000 * number / 6))

    with apply_orbis(model, CONFIG):
        for number in range(6):
            thread = threading.Thread(target=step, args=(number,))
            thread.start()
            thread.join()
    assert all(map(torch.equal, found, expected))


@pytest.mark.parametrize("guided", [False, True])
def test_a_scheduler_of_second_order_repeats_times_and_not_steps(guided: bool) -> None:
    """Video-to-video enters no cache context: the scheduler tells a step from a pass."""
    pipe = video_to_video(scheduler=FlowMatchHeunDiscreteScheduler(shift=3.0))
    log = Log(QUARTER)
    with apply_orbis(pipe, QUARTER, matcher=log) as applied:
        generate(pipe, 6, guided=guided)
        usage = applied.usage
    steps = len(pipe.scheduler.timesteps)
    assert steps == 2 * 6 - 1
    kinds, passes = QUARTER.full_steps(steps), 2 if guided else 1
    assert usage.full_calls == passes * kinds.count(True)
    assert usage.reduced_calls == passes * kinds.count(False)
    assert log.steps == [
        step for step, full in enumerate(kinds) if full and QUARTER.matches(step, steps)
    ]


def test_calls_at_one_time_are_told_and_nothing_grows() -> None:
    tiny = TINY["wan"]
    model: Any = tiny.model()
    with apply_orbis(model, CONFIG) as applied:

        def call(times: int) -> None:
            for _ in range(times):
                run(model, tiny.inputs(1, 0))

        with pytest.warns(UserWarning, match=r"more than 8 times at the time 500\.0.*set_step"):
            call(40)
        assert applied.usage.full_calls == 40
        assert applied.usage.matchings == 2 * MOST_PASSES
        assert len(model._orbis._runs.of(None).kept) == MOST_PASSES


def test_the_step_may_be_set_by_hand() -> None:
    tiny = TINY["wan"]
    model: Any = tiny.model()
    log = Log(QUARTER)
    with apply_orbis(model, OrbisConfig(last_full_steps=1, num_steps=99), matcher=log) as applied:
        for _ in range(2):
            for step in range(8):
                applied.set_step(step, 8)
                for _ in range(2):  # two passes
                    run(model, tiny.inputs(1, step))
        kinds = QUARTER.full_steps(8)
        assert applied.usage.full_calls == 2 * 2 * kinds.count(True)
        assert applied.usage.reduced_calls == 2 * 2 * kinds.count(False)
        assert log.steps == [1, 5]
        applied.reset()
        run(model, tiny.inputs(1, 0), 900)
        run(model, tiny.inputs(1, 0), 800)
        assert model._orbis._runs.of(None).counter.step == 1
        for given, rule in (
            ((-1,), "step is -1; it must be at least 0"),
            ((8, 8), r"step is 8; it must be in 0\.\.7"),
            (("3",), "step is '3'; it must be an integer"),
        ):
            with pytest.raises(ValueError, match=rule):
                applied.set_step(*given)


def test_the_step_may_be_set_from_within_a_pipeline() -> None:
    """Of a class of one's own whose scheduler nobody asks."""
    tiny = TINY["wan"]

    class Bench:
        def __init__(self) -> None:
            self.transformer: Any = tiny.model()
            self.scheduler = None

        def measure(self, applied: AppliedOrbis) -> None:
            for step in range(8):
                applied.set_step(step, 8)
                run(self.transformer, tiny.inputs(1, 0))

    bench = Bench()
    config = OrbisConfig(warmup_steps=2)
    with apply_orbis(bench, config) as applied:
        bench.measure(applied)
        assert applied.usage.full_calls == config.full_steps(8).count(True) == 3
        assert applied.usage.reduced_calls == 5
