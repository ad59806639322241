"""Steps, contexts, resets and refusals of token reduction on diffusers' models."""

from collections.abc import Callable
from typing import Any

import diffusers
import pytest
import torch
from torch import Tensor, nn

from software.config import OrbisConfig
from software.families import family_of
from software.matchers import Request, make_matcher
from software.reduction import apply_orbis, orbis_summary, remove_orbis
from software.reduction.attention import ReducedAttention
from software.tests.tiny_models import TINY, Tiny, run

CONFIG = OrbisConfig(warmup_steps=1, rc_steps=3)
NAMES = [name for name in TINY if name != "cogvideox-rotary"]


class Log:
    """A matcher that notes the (step, layer) of each request."""

    def __init__(self, config: OrbisConfig = CONFIG) -> None:
        self.seen: list[tuple[int, int]] = []
        self.matcher = make_matcher(config)

    def __call__(self, shown: Tensor, request: Request) -> Any:
        self.seen.append((request.step, request.layer))
        return self.matcher(shown, request)

    @property
    def steps(self) -> list[int]:
        """Steps that matched."""
        return sorted({step for step, _ in self.seen})


def times(steps: int) -> list[float]:
    return [1000 - 1000 * step / steps for step in range(steps)]


def run_all(tiny: Tiny, model: nn.Module, steps: int, *, batch: int = 1) -> list[Tensor]:
    """A run of several steps, each with inputs of its own."""
    return [run(model, tiny.inputs(batch, n), time) for n, time in enumerate(times(steps))]


@pytest.mark.parametrize("name", NAMES)
def test_ratio_zero_is_bit_identical_and_removal_leaves_nothing_behind(name: str) -> None:
    tiny = TINY[name]
    model = tiny.model()
    before = run_all(tiny, model, 3, batch=2)
    processors = [getattr(module, "processor", None) for module in model.modules()]
    forward = model.forward
    with apply_orbis(model, OrbisConfig(ratio=0.0, warmup_steps=1)) as applied:
        patched = run_all(tiny, model, 3, batch=2)
        assert applied.usage.reduced_calls == 2
        assert applied.usage.matchings == applied.usage.rows_dropped == 0
    after = run_all(tiny, model, 3, batch=2)
    for one, two, three in zip(before, patched, after, strict=True):
        assert torch.equal(one, two)
        assert torch.equal(one, three)
    assert [getattr(module, "processor", None) for module in model.modules()] == processors
    assert model.forward == forward
    applied.remove()  # once more is harmless


@pytest.mark.parametrize("name", NAMES)
def test_a_model_patched_again_does_the_same_again(name: str) -> None:
    tiny = TINY[name]
    model = tiny.model()
    runs = []
    for _ in range(2):
        apply_orbis(model, CONFIG)
        runs.append(run_all(tiny, model, 5, batch=2))
        remove_orbis(model)
    for one, two in zip(*runs, strict=True):
        assert torch.equal(one, two)
    assert not torch.equal(runs[0][1], run_all(tiny, model, 2, batch=2)[1])


@pytest.mark.parametrize("name", NAMES)
def test_only_attention_over_video_tokens_is_patched_and_listed(name: str) -> None:
    model = TINY[name].model()
    with apply_orbis(model, CONFIG):
        patched = {path for path, module in model.named_modules()
                   if isinstance(getattr(module, "processor", None), ReducedAttention)}  # fmt: skip
        assert {f"transformer.{path}" for path in patched} == set(orbis_summary(model).layers)
    family = family_of(model)
    assert family is not None
    assert patched == set(family.attentions(model))
    assert not any("refiner" in path or "attn2" in path for path in patched)


@pytest.mark.parametrize("name", NAMES)
def test_guidance_in_one_batch_equals_guidance_in_two_contexts(name: str) -> None:
    tiny = TINY[name]
    batched, separate = tiny.model(), tiny.model()
    # Random floats are far from ties, unlike 4-bit levels: rounding cannot change a pair.
    config = OrbisConfig(warmup_steps=1, matcher="bsm")
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

    def failing(shown: Tensor, request: Request) -> Any:
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


def test_usage_and_summary_tell_what_was_done() -> None:
    tiny = TINY["hunyuanvideo"]
    model = tiny.model()
    apply_orbis(model, CONFIG)
    run_all(tiny, model, 3, batch=2)
    summary = orbis_summary(model)
    usage = summary.usage
    dropped = round(0.38 * tiny.num_tokens)
    assert usage.rows_full == 2 * 2 * tiny.num_tokens
    assert usage.rows_reduced == 2 * usage.rows_full
    assert usage.rows_dropped == 2 * 2 * 2 * dropped
    assert usage.reduction_rc == pytest.approx(dropped / tiny.num_tokens)
    assert usage.reduction == pytest.approx(dropped / tiny.num_tokens * 2 / 3)
    assert usage.attention_seconds > 0 < usage.matching_seconds
    lines = str(summary).splitlines()
    assert lines[0] == (
        "2 attention layers patched: transformer.transformer_blocks.0.attn to "
        "transformer.single_transformer_blocks.0.attn"
    )
    assert lines[1].startswith("datm, 4-bit, on output; 38% of the video tokens")
    assert lines[2].startswith("so far 1 full and 2 reduced calls: 25.6% of all video-token rows")


def test_chosen_layers_alone_are_patched() -> None:
    tiny = TINY["wan"]
    model, log = tiny.model(), Log()
    config = OrbisConfig(warmup_steps=1, layers=(1,))
    with apply_orbis(model, config, matcher=log):
        run_all(tiny, model, 2)
        assert orbis_summary(model).layers == ("transformer.blocks.1.attn1",)
    assert log.seen == [(0, 1)]


def test_a_warm_start_is_handed_each_layers_and_videos_last_match() -> None:
    tiny = TINY["wan"]
    matcher = make_matcher(CONFIG)
    handed: list[Any] = []
    found: list[Any] = []

    def noting(shown: Tensor, request: Request) -> Any:
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


def test_the_attention_backend_is_the_models_whenever_it_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry = diffusers.models.attention_dispatch._AttentionBackendRegistry
    monkeypatch.setattr(registry, "_active_backend", registry._active_backend)  # it sets this too
    tiny = TINY["wan"]
    model = tiny.model()
    own = [block.attn1.processor for block in model.blocks]  # type: ignore[union-attr]
    with apply_orbis(model, CONFIG):
        plain = run_all(tiny, model, 2)
        model.set_attention_backend("_native_math")  # type: ignore[operator]
        assert [processor._attention_backend.value for processor in own] == ["_native_math"] * 2
        model._reset_stateful_cache()  # type: ignore[operator]
        for one, two in zip(plain, run_all(tiny, model, 2), strict=True):
            torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["cogvideox", "wan"])
def test_a_compiled_model_does_the_same(name: str) -> None:
    tiny = TINY[name]
    plain, compiled = tiny.model(), tiny.model()
    graphs: list[Any] = []

    def backend(graph: Any, example: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    with apply_orbis(plain, CONFIG):
        expected = run_all(tiny, plain, 5)
    torch._dynamo.reset()
    wrapped: Any = torch.compile(compiled, backend=backend)
    with apply_orbis(wrapped, CONFIG) as applied:
        found = run_all(tiny, wrapped, 5)
        assert applied.usage.reduced_calls == 3
    for one, two in zip(expected, found, strict=True):
        torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-4)
    assert len(graphs) >= 2  # what is before the first attention layer, and after it


def test_compiling_without_a_break_says_why_it_cannot() -> None:
    tiny = TINY["wan"]
    wrapped: Any = torch.compile(tiny.model(), backend="eager", fullgraph=True)
    with apply_orbis(wrapped, CONFIG), pytest.raises(Exception, match="compile without fullgraph"):
        run(wrapped, tiny.inputs(1, 0))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", NAMES)
def test_half_precision_is_as_near_as_it_is_unreduced(name: str, dtype: torch.dtype) -> None:
    tiny = TINY[name]
    inputs = [tiny.inputs(1, number) for number in range(2)]
    halved = [
        {key: value.to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value
         for key, value in each.items()}
        for each in inputs
    ]  # fmt: skip
    config = OrbisConfig(warmup_steps=1, matcher="bsm")
    model, half, pairs = tiny.model(), tiny.model().to(dtype), []

    def first(shown: Tensor, request: Request) -> Any:
        pairs.append(make_matcher(config)(shown, request))
        return pairs[-1]

    def again(shown: Tensor, request: Request) -> Any:
        return pairs[request.layer]

    errors: list[Tensor] = []
    with apply_orbis(model, config, matcher=first), apply_orbis(half, config, matcher=again):
        for one, two in zip(inputs, halved, strict=True):
            time = 500.0 - len(errors)
            exact = run(model, one, time)
            found = run(half, two, time).float()
            errors.append((found - exact).abs().max())
            assert torch.isfinite(found).all()
    assert errors[1] < 3 * errors[0]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", NAMES)
def test_a_gpu_does_the_same(name: str) -> None:
    tiny = TINY[name]
    config = OrbisConfig(warmup_steps=1, matcher="bsm")
    model, there = tiny.model(), tiny.model().cuda()
    with apply_orbis(model, config), apply_orbis(there, config) as applied:
        for number, time in enumerate(times(3)):
            inputs = tiny.inputs(2, number)
            moved = {key: value.cuda() if isinstance(value, Tensor) else value
                     for key, value in inputs.items()}  # fmt: skip
            expected = run(model, inputs, time)
            with torch.device("cuda"):
                found = run(there, moved, time).cpu()
            torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)
        assert applied.usage.reduced_calls == 2


def test_the_global_generator_is_left_alone() -> None:
    tiny = TINY["wan"]
    model = tiny.model()
    before = torch.random.get_rng_state()
    with apply_orbis(model, CONFIG):
        run_all(tiny, model, 2)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("name", ["mochi"])
def test_a_prompt_without_a_valid_token_is_no_trouble(name: str) -> None:
    tiny = TINY[name]
    model, plain = tiny.model(), tiny.model()
    inputs = tiny.inputs(2, 0)
    inputs["encoder_attention_mask"][1] = False
    with apply_orbis(model, OrbisConfig(warmup_steps=1, matcher="bsm")):
        assert torch.equal(run(model, inputs, 900), run(plain, inputs, 900))
        assert torch.isfinite(run(model, inputs, 800)).all()


def test_ltx_video_with_coordinates_has_its_tokens_in_one_row() -> None:
    tiny = TINY["ltx-video"]
    model = tiny.model()
    inputs = tiny.inputs(2, 0) | {"num_frames": 1, "height": 1, "width": 1}
    generator = torch.Generator().manual_seed(0)
    inputs["video_coords"] = torch.rand(1, 3, 60, generator=generator)  # for both videos
    with apply_orbis(model, CONFIG) as applied:
        for time in (900, 800):
            run(model, inputs, time)
        assert applied.usage.reduction_rc == pytest.approx(0.38, abs=0.01)


def test_a_grid_that_does_not_hold_the_tokens_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = TINY["wan"]
    model = tiny.model()
    monkeypatch.setattr(type(family_of(model)), "grid", lambda *_: (3, 3, 5))
    with (
        apply_orbis(model, CONFIG),
        pytest.raises(RuntimeError, match=r"has 60 video tokens, but the video has 3 x 3 x 5"),
    ):
        run(model, tiny.inputs(1, 0))


def test_a_backend_that_takes_no_added_mask_is_refused_at_once() -> None:
    tiny = TINY["wan"]
    model: Any = tiny.model()
    for block in model.blocks:
        block.attn1.processor._attention_backend = "_native_flash"
    with (
        apply_orbis(model, OrbisConfig(warmup_steps=3)),
        pytest.raises(ValueError, match=r"_native_flash does not add a mask .*proportional=False"),
    ):
        run(model, tiny.inputs(1, 0))
    with apply_orbis(model, OrbisConfig(warmup_steps=1, proportional=False)) as applied:
        run_all(tiny, model, 2)
        assert applied.usage.reduced_calls == 1


def test_a_run_in_which_nothing_is_reduced_is_warned_of() -> None:
    tiny = TINY["wan"]
    model = tiny.model()
    config = OrbisConfig(warmup_steps=13, num_steps=8)
    with apply_orbis(model, config), pytest.warns(UserWarning, match="no step of a run of 8 is"):
        run_all(tiny, model, 8)


def test_tokens_split_over_devices_are_refused() -> None:
    model: Any = TINY["wan"].model()
    with apply_orbis(model, CONFIG):
        processor = model.blocks[0].attn1.processor
        assert processor._parallel_config is None
        with pytest.raises(ValueError, match="does not support tokens that are split"):
            processor._parallel_config = object()
    model.blocks[0].attn1.processor._parallel_config = object()
    with pytest.raises(ValueError, match=r"blocks\.0\.attn1 splits its tokens over devices"):
        apply_orbis(model, CONFIG)


def test_a_handle_undoes_its_own_patch_alone_and_keeps_its_figures() -> None:
    tiny = TINY["wan"]
    model = tiny.model()
    first = apply_orbis(model, CONFIG)
    run_all(tiny, model, 2)
    first.remove()
    second = apply_orbis(model, CONFIG, matcher=Log())
    first.remove()
    assert str(orbis_summary(model)).splitlines()[1].startswith("Log, on output; 38% of")
    second.remove()
    assert first.usage.reduced_calls == 1
    assert second.usage.reduced_calls == 0


def test_what_cannot_be_patched_is_refused() -> None:
    with pytest.raises(ValueError, match="Linear is not of a family whose attention can be"):
        apply_orbis(nn.Linear(2, 2), CONFIG)
    with pytest.raises(ValueError, match="object has no transformer; nothing can be patched"):
        apply_orbis(object())
    model: Any = TINY["wan"].model()
    for action in (remove_orbis, orbis_summary):
        with pytest.raises(ValueError, match="WanTransformer3DModel is not patched"):
            action(model)
    with (
        apply_orbis(model, CONFIG),
        pytest.raises(ValueError, match="is patched already; remove_orbis undoes it"),
    ):
        apply_orbis(model, CONFIG)
    with pytest.raises(ValueError, match=r"layers lists 2; the model has layers 0\.\.1"):
        apply_orbis(model, OrbisConfig(warmup_steps=1, layers=(0, 2)))
    with pytest.raises(ValueError, match="layers is empty"):
        apply_orbis(model, OrbisConfig(warmup_steps=1, layers=()))
    with pytest.raises(ValueError, match="last_full_steps 2, but a transformer alone"):
        apply_orbis(model, OrbisConfig(warmup_steps=1, last_full_steps=2))
    with pytest.raises(ValueError, match=r"warmup_steps is 0\.25 and .* a transformer alone"):
        apply_orbis(model)
    model.blocks[1].attn1.processor = object()
    with pytest.raises(ValueError, match=r"blocks\.1\.attn1 has a object; token reduction"):
        apply_orbis(model, CONFIG)
    assert not isinstance(model.blocks[0].attn1.processor, ReducedAttention)


def test_layers_on_devices_of_two_types_are_refused() -> None:
    model: Any = TINY["wan"].model()
    model.blocks[1].to("meta")
    with pytest.raises(ValueError, match="lie on cpu and meta; they must lie on devices of one"):
        apply_orbis(model, CONFIG)


def test_fused_projections_and_caches_are_refused() -> None:
    model: Any = TINY["wan"].model()
    model.blocks[0].attn1.fuse_projections()
    with pytest.raises(ValueError, match=r"blocks\.0\.attn1 has fused projections; unfuse"):
        apply_orbis(model, CONFIG)
    cached: Any = TINY["wan"].model()
    cached._cache_config = object()
    with pytest.raises(ValueError, match="has a cache enabled that skips attention layers"):
        apply_orbis(cached, CONFIG)


def test_nothing_is_ever_a_silent_no_op() -> None:
    tiny = TINY["cogvideox"]
    model: Any = tiny.model()
    with apply_orbis(model, CONFIG):
        block = model.transformer_blocks[0]
        with pytest.raises(RuntimeError, match=r"blocks\.0\.attn1 ran outside of its transformer"):
            block.attn1(torch.zeros(1, 60, 32), encoder_hidden_states=torch.zeros(1, 7, 32))
        block.attn1.processor = block.attn1.processor.original
        with pytest.raises(RuntimeError, match="1 of 2 patched layers did not run in step 0, "):
            run(model, tiny.inputs(1, 0))
    with (
        apply_orbis(model, OrbisConfig(warmup_steps=1, num_dst=50)),
        pytest.raises(ValueError, match="with 50 dst tokens at most 10 can be reduced"),
    ):
        run(model, tiny.inputs(1, 0))
