"""What a patched model refuses before it spends a step, and what it takes although it is odd."""

from typing import Any

import pytest
import torch
from diffusers import FirstBlockCacheConfig
from diffusers.hooks import HookRegistry, LayerSkipConfig, apply_layer_skip
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from golden.datm import match
from software.library.config import OrbisConfig
from software.library.matchers import MatchRequest, make_matcher
from software.library.reduction import apply_orbis
from software.tests.library.tiny_models import TINY, run
from software.tests.library.tiny_runs import CONFIG, NAMES, run_all


def test_a_cache_that_is_enabled_after_patching_is_refused_at_once() -> None:
    tiny = TINY["wan"]
    model: Any = tiny.model()
    with apply_orbis(model, CONFIG) as applied:
        run(model, tiny.inputs(1, 0), 900)
        model.enable_cache(FirstBlockCacheConfig(threshold=0.1))
        with pytest.raises(RuntimeError, match="WanTransformer3DModel has had a cache enabled"):
            run(model, tiny.inputs(1, 1), 800)
        model.disable_cache()
        run(model, tiny.inputs(1, 1), 800)
        assert (applied.usage.full_calls, applied.usage.reduced_calls) == (1, 1)


def test_a_layer_that_something_else_skips_is_skipped() -> None:
    """Layer 1 runs in no step: what is left is layer 0's reduction."""
    tiny = TINY["wan"]
    found = []
    for layers in (None, (0,)):
        model = tiny.model()
        apply_layer_skip(model, LayerSkipConfig(indices=[1], fqn="blocks"))
        with apply_orbis(model, OrbisConfig(warmup_steps=1, layers=layers)):
            found.append(run_all(tiny, model, 5))
    assert all(map(torch.equal, *found))


def test_a_layer_that_was_skipped_while_matching_is_not_reduced() -> None:
    tiny = TINY["wan"]
    found = []
    for layers in (None, (0,)):
        model: Any = tiny.model()
        apply_layer_skip(model, LayerSkipConfig(indices=[1], fqn="blocks"))
        with apply_orbis(model, OrbisConfig(warmup_steps=1, layers=layers)):
            run(model, tiny.inputs(1, 0), 900)
            for module in model.modules():
                if isinstance(getattr(module, "_diffusers_hook", None), HookRegistry):
                    for name in list(module._diffusers_hook.hooks):
                        module._diffusers_hook.remove_hook(name, recurse=False)
            found.append(run(model, tiny.inputs(1, 1), 800))
    assert torch.equal(*found)


def test_where_no_layer_runs_it_is_an_error() -> None:
    tiny = TINY["wan"]
    model = tiny.model()
    apply_layer_skip(model, LayerSkipConfig(indices=[0, 1], fqn="blocks"))
    with (
        apply_orbis(model, CONFIG),
        pytest.raises(RuntimeError, match="none of the 2 patched layers ran in step 0"),
    ):
        run(model, tiny.inputs(1, 0))


def test_gradients_through_a_reduced_step_and_no_checkpoints() -> None:
    """A full step in any mode, then a reduced one whose gradient is that of the pairs it left."""
    tiny = TINY["wan"]
    gradients = []
    for mode in (torch.no_grad, torch.inference_mode):
        model: Any = tiny.model()
        with apply_orbis(model, CONFIG):
            with mode():
                run(model, tiny.inputs(1, 0), 900)
                run(model, tiny.inputs(1, 1), 800)  # makes what is kept lazily
            inputs = tiny.inputs(1, 2)
            inputs["hidden_states"].requires_grad_(True)
            run(model, inputs, 700).square().sum().backward()  # type: ignore[no-untyped-call]
            gradients.append(inputs["hidden_states"].grad)
            model.enable_gradient_checkpointing()
            with pytest.raises(RuntimeError, match="gradient checkpointing runs layers again"):
                run(model, inputs, 600)
            with torch.no_grad():
                run(model, inputs, 600)
    assert torch.equal(gradients[0], gradients[1])
    assert gradients[0].abs().sum() > 0


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_a_checkpoint_around_the_model_is_refused(use_reentrant: bool) -> None:
    tiny = TINY["wan"]
    model = tiny.model()
    with apply_orbis(model, CONFIG):
        with torch.no_grad():
            run(model, tiny.inputs(1, 0), 900)
        inputs = tiny.inputs(1, 1)

        def call(hidden: Tensor) -> Tensor:
            return run(model, {**inputs, "hidden_states": hidden}, 800)

        hidden = inputs["hidden_states"].requires_grad_(True)
        found = checkpoint(call, hidden, use_reentrant=use_reentrant)
        with pytest.raises(RuntimeError, match="is run again in a backward pass"):
            found.sum().backward()


@pytest.mark.parametrize("name", NAMES)
def test_a_model_under_autocast_is_matched_as_outside_of_it(name: str) -> None:
    tiny = TINY[name]
    asked: list[tuple[Tensor, MatchRequest, Any]] = []

    def noting(shown: Tensor, request: MatchRequest) -> Any:
        asked.append((shown, request, make_matcher(CONFIG)(shown, request)))
        return asked[-1][2]

    model = tiny.model()
    with (
        apply_orbis(model, CONFIG, matcher=noting) as applied,
        torch.autocast("cpu", torch.bfloat16),
    ):
        for found in run_all(tiny, model, 3):
            assert torch.isfinite(found).all()
        assert applied.usage.reduced_calls == 2
    assert len(asked) == 2
    for shown, request, found in asked:
        expected = make_matcher(CONFIG)(shown, request)
        assert torch.equal(found.src, expected.src)
        assert torch.equal(found.dst, expected.dst)


def test_outputs_beyond_float16_are_scaled_and_matched_alike() -> None:
    generator = torch.Generator().manual_seed(4)
    tokens = torch.randn((60, 24), generator=generator).half().float()
    matcher, request = make_matcher(CONFIG), MatchRequest(0, 0, (3, 4, 5), 15, 20)
    expected = matcher(tokens, request)
    with pytest.warns(UserWarning, match=r"beyond float16 \(65,504\).*scaled by a power of two"):
        found = matcher(tokens * 2.0**20, request)
    for name in ("src", "dst", "medoids"):
        assert torch.equal(getattr(found, name), getattr(expected, name))
    # The command line and the library's own match keep their rule.
    with pytest.raises(ValueError, match=r"must lie within the range of fp16"):
        match(tokens * 2.0**20, 15, 20)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_cannot_be_matched_names_layer_step_and_a_way_out(value: float) -> None:
    tiny = TINY["wan"]
    model: Any = tiny.model()
    model.blocks[1].attn1.to_v.bias.data[3] = value
    with (
        apply_orbis(model, CONFIG),
        pytest.raises(
            ValueError,
            match=r"layer blocks\.1\.attn1 cannot be matched in step 0: .* finite\. .*layers=",
        ),
    ):
        run(model, tiny.inputs(1, 0))
