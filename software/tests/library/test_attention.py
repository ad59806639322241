"""What a patched layer does: backends, compilation, precision, masks."""

from typing import Any

import diffusers
import pytest
import torch
from torch import Tensor

from software.library.config import OrbisConfig
from software.library.families import family_of
from software.library.matchers import MatchRequest, make_matcher
from software.library.reduction import apply_orbis
from software.tests.library.tiny_models import TINY, run
from software.tests.library.tiny_runs import CONFIG, COPYING, NAMES, run_all, times


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
    config = COPYING
    model, half, pairs = tiny.model(), tiny.model().to(dtype), []

    def first(shown: Tensor, request: MatchRequest) -> Any:
        pairs.append(make_matcher(config)(shown, request))
        return pairs[-1]

    def again(shown: Tensor, request: MatchRequest) -> Any:
        return pairs[request.layer]

    errors: list[Tensor] = []
    with apply_orbis(model, config, matcher=first), apply_orbis(half, config, matcher=again):
        for one, two in zip(inputs, halved, strict=True):
            time = 500.0 - 100 * len(errors)
            exact = run(model, one, time)
            found = run(half, two, time).float()
            errors.append((found - exact).abs().max())
            assert torch.isfinite(found).all()
    assert errors[1] < 3 * errors[0]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", NAMES)
def test_a_gpu_does_the_same(name: str) -> None:
    tiny = TINY[name]
    config = COPYING
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
    with apply_orbis(model, COPYING):
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
        assert applied.usage.reduction_rc == pytest.approx(0.75, abs=0.01)


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
        apply_orbis(model, OrbisConfig(warmup_steps=3, targets="qkv")),
        pytest.raises(ValueError, match=r"_native_flash does not add a mask .*proportional=False"),
    ):
        run(model, tiny.inputs(1, 0))
    for options in ({"targets": "q"}, {"targets": "qkv", "proportional": False}):
        with apply_orbis(model, OrbisConfig(warmup_steps=1, **options)) as applied:
            run_all(tiny, model, 2)
            assert applied.usage.reduced_calls == 1


def test_a_run_in_which_nothing_is_reduced_is_warned_of() -> None:
    tiny = TINY["wan"]
    model = tiny.model()
    config = OrbisConfig(warmup_steps=13, num_steps=8)
    with apply_orbis(model, config), pytest.warns(UserWarning, match="no step of a run of 8 is"):
        run_all(tiny, model, 8)
