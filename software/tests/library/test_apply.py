"""Turning token reduction on and off: what is patched, what is told, what is refused."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from software.library.config import Guide, MatcherName, OrbisConfig, Restore, Targets
from software.library.families import family_of
from software.library.footprint import kept_bytes, result_bytes
from software.library.reduction import apply_orbis, orbis_summary, remove_orbis
from software.library.reduction.attention import ReducedAttention
from software.library.reduction.hook import hook_of
from software.tests.library.tiny import Inputs
from software.tests.library.tiny_models import TINY, run
from software.tests.library.tiny_runs import CONFIG, NAMES, Log, run_all


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
    assert patched == set(family_of(model).attentions(model))
    assert not any("refiner" in path or "attn2" in path for path in patched)


def test_usage_and_summary_tell_what_was_done() -> None:
    tiny = TINY["hunyuanvideo"]
    model = tiny.model()
    apply_orbis(model, CONFIG)
    run_all(tiny, model, 3, batch=2)
    summary = orbis_summary(model)
    usage = summary.usage
    dropped = round(0.75 * tiny.num_tokens)
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
    assert lines[1].startswith(
        "datm, 4-bit, on output; 75% of the video tokens dropped from Q in reduced steps and"
        " restored by residual, FC:RC 1:3"
    )
    assert lines[2].startswith("so far 1 full and 2 reduced calls: 50.0% of all video-token rows")
    assert usage.result_bytes == 2 * 2 * tiny.num_tokens * 20 * 4
    assert usage.kept_bytes == 2 * 2 * kept_bytes(CONFIG, tiny.grid, 20)
    assert lines[4] == (
        "kept from step to step: 0.00 GiB at most (0.0 MiB a layer), index lists among it:"
        f" {usage.kept_bytes / usage.result_bytes:.1%} of the 0.00 GiB that keeping all results"
        " takes"
    )


@pytest.mark.parametrize("targets", ["qkv", "q"])
@pytest.mark.parametrize("restore", ["copy", "residual", "cache"])
@pytest.mark.parametrize("matcher", ["datm", "asymrnr"])
def test_what_is_kept_is_what_is_planned(
    matcher: MatcherName, restore: Restore, targets: Targets
) -> None:
    tiny = TINY["cogvideox"]
    model = tiny.model().bfloat16()
    guide: Guide = "query_value" if matcher == "asymrnr" else "output"
    config = OrbisConfig(
        warmup_steps=1, ratio=0.3, matcher=matcher, guide=guide, targets=targets, restore=restore
    )
    with apply_orbis(model, config) as applied:
        for number in range(2):
            run(model, halved(tiny.inputs(2, number)), 500 - 100 * number)
        usage = applied.usage
        assert usage.kept_bytes == 2 * 2 * kept_bytes(config, tiny.grid, 32, heads=2)
        assert usage.result_bytes == 2 * 2 * result_bytes(tiny.num_tokens, 32)


def halved(inputs: Inputs) -> Inputs:
    return {key: value.bfloat16() if isinstance(value, Tensor) else value
            for key, value in inputs.items()}  # fmt: skip


def test_what_no_step_can_use_is_freed() -> None:
    tiny = TINY["wan"]
    model = tiny.model()
    apply_orbis(model, CONFIG)
    inputs, hook = tiny.inputs(1, 0), hook_of(model)
    assert hook is not None
    run_outside = hook._runs.of(None)
    for time in (900.0, 900.0, 800.0, 800.0):  # two passes a step
        run(model, inputs, time)
    assert len(run_outside.kept) == 2
    for time in (950.0, 900.0):  # another run, of one
        run(model, inputs, time)
    assert len(run_outside.kept) == 1
    (kept,) = run_outside.kept.values()
    assert kept.bytes > 0
    run_outside.counter.step += CONFIG.rc_steps
    run_outside.forget_stale(CONFIG.rc_steps)
    assert kept.bytes == 0
    remove_orbis(model)


def test_a_broadcast_says_so_and_can_be_written_to() -> None:
    tiny = TINY["wan"]
    model: Any = tiny.model()
    results: list[Tensor] = []

    def write(_: nn.Module, args: Any, result: Tensor) -> None:
        results.append(result.clone())
        result.mul_(0.5)

    model.blocks[0].attn1.register_forward_hook(write)
    config = OrbisConfig(warmup_steps=1, ratio=1, restore="cache", targets="qkv")
    with apply_orbis(model, config):
        run_all(tiny, model, 4)
        assert "attention broadcast" in str(orbis_summary(model))
    assert len(results) == 4
    assert all(torch.equal(result, results[0]) for result in results)


@pytest.mark.parametrize("config", [CONFIG, replace(CONFIG, ratio=1, restore="cache"),
                                    replace(CONFIG, restore="cache")])  # fmt: skip
def test_what_is_kept_serves_other_modes_and_dtypes(config: OrbisConfig) -> None:
    tiny = TINY["wan"]
    model: Any = tiny.model()
    with apply_orbis(model, config):
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            run(model, tiny.inputs(1, 0), 900)
        inputs = tiny.inputs(1, 1)
        inputs["hidden_states"].requires_grad_()
        run(model, inputs, 800).sum().backward()  # type: ignore[no-untyped-call]
        assert torch.isfinite(inputs["hidden_states"].grad).all()


def test_an_attention_backend_does_not_matter_where_nothing_attends() -> None:
    tiny = TINY["wan"]
    model: Any = tiny.model()
    for block in model.blocks:
        block.attn1.processor._attention_backend = "_native_flash"
    config = OrbisConfig(warmup_steps=3, ratio=1, restore="cache", targets="qkv")
    with apply_orbis(model, config) as applied, suppress(RuntimeError):
        run(model, tiny.inputs(1, 0))  # the kernel itself may be missing here
    assert applied.usage.matchings == 0


def test_chosen_layers_alone_are_patched() -> None:
    tiny = TINY["wan"]
    model, log = tiny.model(), Log()
    config = OrbisConfig(warmup_steps=1, layers=(1,))
    with apply_orbis(model, config, matcher=log):
        run_all(tiny, model, 2)
        assert orbis_summary(model).layers == ("transformer.blocks.1.attn1",)
    assert log.seen == [(0, 1)]


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
    assert str(orbis_summary(model)).splitlines()[1].startswith("Log, on output; 75% of")
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
        with pytest.raises(RuntimeError, match=r"blocks\.0\.attn1 has had its processor replaced"):
            run(model, tiny.inputs(1, 0))
    with (
        apply_orbis(model, OrbisConfig(warmup_steps=1, num_dst=50)),
        pytest.raises(ValueError, match="with 50 dst tokens at most 10 can be reduced"),
    ):
        run(model, tiny.inputs(1, 0))
