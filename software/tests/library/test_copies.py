"""Copies of a patched model, processors that others put back, and parts that are exchanged."""

import copy
import gc
import pickle
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from software.library.config import OrbisConfig
from software.library.reduction import apply_orbis, orbis_summary, remove_orbis
from software.library.reduction.attention import ReducedAttention
from software.tests.library.tiny_models import TINY, run
from software.tests.library.tiny_pipelines import PIPELINES, wan_pipeline
from software.tests.library.tiny_runs import CONFIG, NAMES, run_all


def assert_free(model: nn.Module) -> None:
    """No processor of ours is left in a model."""
    processors = [getattr(module, "processor", None) for module in model.modules()]
    assert not any(isinstance(each, ReducedAttention) for each in processors)
    assert not hasattr(model, "_orbis")


def assert_same(found: list[Tensor], expected: list[Tensor]) -> None:
    """Two runs agree to the bit in every step."""
    for one, two in zip(found, expected, strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("how", ["deepcopy", "pickle"])
@pytest.mark.parametrize("name", NAMES)
def test_a_copy_of_a_patched_model_is_one_of_its_own(name: str, how: str) -> None:
    tiny = TINY[name]
    model = tiny.model()
    plain = run_all(tiny, model, 5)
    apply_orbis(model, CONFIG)
    expected = run_all(tiny, model, 5)
    run_all(tiny, model, 2)  # what a run keeps is not copied
    copied = copy.deepcopy(model) if how == "deepcopy" else pickle.loads(pickle.dumps(model))
    assert_same(run_all(tiny, copied, 5), expected)
    assert orbis_summary(copied).usage.full_calls == orbis_summary(model).usage.full_calls + 2
    remove_orbis(copied)
    assert_free(copied)
    assert_same(run_all(tiny, copied, 5), plain)
    assert orbis_summary(model).layers


def test_a_copy_of_a_pipeline_is_one_of_its_own() -> None:
    tiny = PIPELINES["wan"]
    pipe = tiny.pipe()
    plain = tiny.run(pipe, guided=True)
    config = OrbisConfig(warmup_steps=2)
    apply_orbis(pipe, config)
    expected = tiny.run(pipe, guided=True)
    copied = copy.deepcopy(pipe)
    assert torch.equal(tiny.run(copied, guided=True), expected)
    remove_orbis(pipe)
    assert torch.equal(tiny.run(copied, guided=True), expected)
    remove_orbis(copied)
    assert torch.equal(tiny.run(copied, guided=True), plain)
    assert_free(copied.transformer)


def test_fused_projections_leave_no_model_stuck() -> None:
    tiny = TINY["cogvideox"]
    model: Any = tiny.model()
    plain = run_all(tiny, model, 3)
    apply_orbis(model, CONFIG)
    expected = run_all(tiny, model, 3)
    model.fuse_qkv_projections()
    with pytest.raises(RuntimeError, match="has had its processor replaced by a FusedCogVideoX"):
        run(model, tiny.inputs(1, 0))
    remove_orbis(model)
    model.unfuse_qkv_projections()
    assert_same(run_all(tiny, model, 3), plain)
    with apply_orbis(model, CONFIG):
        assert_same(run_all(tiny, model, 3), expected)
    assert_free(model)


def test_processors_that_were_saved_may_be_put_back() -> None:
    tiny = TINY["wan"]
    model: Any = tiny.model()
    plain = run_all(tiny, model, 3)
    own = dict(model.attn_processors)
    with apply_orbis(model, CONFIG):
        expected = run_all(tiny, model, 3)
        ours = dict(model.attn_processors)
        model.set_attn_processor(dict(own))
        with pytest.raises(RuntimeError, match="has had its processor replaced by a WanAttn"):
            run(model, tiny.inputs(1, 0))
    model.set_attn_processor(dict(ours))
    assert_same(run_all(tiny, model, 3), plain)
    with apply_orbis(model, CONFIG):
        assert_same(run_all(tiny, model, 3), expected)
    assert_free(model)


def test_one_module_may_be_both_experts() -> None:
    pipe = wan_pipeline(experts=2)
    pipe.transformer_2 = pipe.transformer
    with apply_orbis(pipe, CONFIG) as applied:
        assert list(applied.models) == ["transformer"]
        assert len(orbis_summary(pipe).layers) == 2
    assert_free(pipe.transformer)


def test_both_experts_are_patched_or_none() -> None:
    pipe = wan_pipeline(experts=2)
    pipe.transformer_2.blocks[1].attn1.processor = object()
    with pytest.raises(ValueError, match=r"blocks\.1\.attn1 has a object"):
        apply_orbis(pipe, CONFIG)
    assert_free(pipe.transformer)


def test_a_transformer_that_was_replaced_is_told_before_the_first_step() -> None:
    tiny = PIPELINES["wan"]
    pipe, calls = tiny.pipe(), []
    plain = tiny.run(pipe, guided=False)
    old, new = pipe.transformer, tiny.pipe().transformer
    applied = apply_orbis(pipe, CONFIG)
    expected = tiny.run(pipe, guided=False)
    pipe.transformer = new
    new.register_forward_pre_hook(lambda *_: calls.append(1))
    with pytest.raises(RuntimeError, match="transformer of the pipeline was replaced since it was"):
        tiny.run(pipe, guided=False)
    assert not calls
    with pytest.raises(ValueError, match="had a transformer patched that was replaced since"):
        apply_orbis(pipe, CONFIG)
    remove_orbis(pipe)
    assert torch.equal(tiny.run(pipe, guided=False), plain)
    with apply_orbis(pipe, CONFIG):
        assert torch.equal(tiny.run(pipe, guided=False), expected)
    applied.remove()  # the old one is not reached by the pipeline any more
    assert_free(old)
    assert torch.equal(tiny.run(pipe, guided=False), plain)
    assert "progress_bar" not in vars(pipe)


def test_a_transformer_that_is_taken_out_is_freed() -> None:
    """As pipelines free it before they decode; also after a run that was cut short."""
    tiny = PIPELINES["wan"]
    pipe = tiny.pipe()
    apply_orbis(pipe, CONFIG)
    tiny.run(pipe, guided=True)

    def stop(pipe: object, step: int, *_: object) -> dict[str, object]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tiny.run(pipe, guided=True, callback_on_step_end=stop)
    kept = weakref.ref(pipe.transformer)
    remove_orbis(pipe)
    pipe.transformer = None
    gc.collect()
    assert kept() is None
    again = tiny.pipe()
    apply_orbis(again, CONFIG)
    tiny.run(again, guided=True)
    kept = weakref.ref(again.transformer)
    again.transformer = None
    gc.collect()
    assert kept() is None
