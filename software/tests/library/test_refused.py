"""What cannot be reduced is refused in one sentence, with the reason that is the real one."""

import inspect
import re
from typing import Any

import diffusers.models.transformers
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, WanModularPipeline, WanTransformer3DModel
from diffusers.modular_pipelines.wan.modular_blocks_wan import WanCoreDenoiseStep
from torch import Tensor, nn

from software.library.config import OrbisConfig
from software.library.families import FAMILIES, family_of
from software.library.families.refused import REASONS
from software.library.reduction import apply_orbis, orbis_summary
from software.tests.library.tiny import normal
from software.tests.library.tiny_models import TINY
from software.tests.library.tiny_runs import CONFIG
from software.tests.library.tiny_wan import wan

CLASSES = dict(inspect.getmembers(diffusers.models.transformers, inspect.isclass))
SUPPORTED = {family.model for family in FAMILIES}
KNOWN = re.escape(", ".join(family.name for family in FAMILIES))


def refusal(thing: Any, *given: OrbisConfig) -> str:
    """The sentence that a thing is refused in."""
    with pytest.raises(ValueError, match=r"^[^\n]+[^.\n]\.$") as caught:
        apply_orbis(thing, *given)
    text = str(caught.value)
    assert not re.search(r"\.\s", text), f"more than one sentence: {text}"
    return text


def test_every_other_transformer_of_diffusers_is_refused_by_its_class() -> None:
    others = CLASSES.keys() - SUPPORTED
    assert len(others) >= 60
    for name in sorted(others):
        bare = object.__new__(CLASSES[name])  # no layer to look at
        found = re.fullmatch(
            rf"{name} is not of a family whose attention can be reduced \({KNOWN}\)(: .+)?\.",
            refusal(bare),
        )
        assert found, name
        assert bool(found[1]) == (name in REASONS or "2D" in name)
    assert others >= REASONS.keys()


def test_a_reason_that_is_known_is_told() -> None:
    flux, ltx = (
        refusal(object.__new__(CLASSES[name]))
        for name in ("FluxTransformer2DModel", "LTX2VideoTransformer3DModel")
    )
    assert flux.endswith(": it makes images, and tokens are reduced in videos.")
    assert ltx.endswith(": its layers are called with a rotary embedding of the keys' own.")


class Attention(nn.Module):
    """An attention layer without a processor."""


class Block(nn.Module):
    def __init__(self, **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)


def foreign(**parts: Any) -> nn.Module:
    """A model of another's own, under the name of Wan's."""
    model: nn.Module = type("WanTransformer3DModel", (nn.Module,), {"__module__": "theirs"})()
    for name, part in parts.items():
        setattr(model, name, part)
    return model


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"blocks": None},
        {"blocks": nn.ModuleList()},
        {"blocks": nn.ModuleList([Block()])},
        {"blocks": nn.ModuleList([Block(attn1=Attention())])},
    ],
)
def test_a_foreign_class_of_a_supported_name_is_refused(parts: dict[str, Any]) -> None:
    config = TINY["wan"].model().config
    assert refusal(foreign(config=config, **parts), CONFIG) == (
        "WanTransformer3DModel of theirs is not built as diffusers' WanTransformer3DModel: its "
        "attention layers or its config are missing, so that it cannot be patched."
    )


def test_a_foreign_class_that_is_built_alike_but_for_its_config_is_refused() -> None:
    blocks: Any = TINY["wan"].model().blocks
    assert "its config are missing" in refusal(foreign(blocks=blocks), CONFIG)


def test_a_class_that_derives_from_a_supported_one_is_of_its_family() -> None:
    class Theirs(WanTransformer3DModel):
        """With something of its own."""

    tiny = TINY["wan"]
    model = tiny.model()
    model.__class__ = Theirs
    assert family_of(model) is family_of(tiny.model())


def test_the_model_is_refused_before_the_number_of_steps_is_asked_for() -> None:
    for thing in (nn.Linear(2, 2), foreign()):
        assert "num_steps" not in refusal(thing)


def modular() -> Any:
    """The denoising part of Wan's modular pipeline, empty."""
    return WanCoreDenoiseStep().init_pipeline()


def test_a_pipeline_without_a_transformer_is_refused() -> None:
    class Unet:
        """A pipeline of another kind."""

        unet = nn.Linear(2, 2)

    assert refusal(Unet()) == "Unet has no transformer; nothing can be patched."
    assert refusal(modular()) == (
        "WanModularPipeline's transformer is None; load it first (a modular pipeline does in "
        "load_components), then patch."
    )


def test_a_modular_pipeline_says_at_once_that_it_needs_the_number_of_steps() -> None:
    pipe = modular()
    pipe.update_components(transformer=wan(16).model())
    assert isinstance(pipe, WanModularPipeline)
    assert refusal(pipe) == (
        "warmup_steps is 0.25 and last_full_steps 0, but a WanModularPipeline does not know how "
        "many steps a run has: give num_steps."
    )
    pipe.update_components(transformer=object.__new__(CLASSES["FluxTransformer2DModel"]))
    assert refusal(pipe).startswith("FluxTransformer2DModel is not of a family")


@pytest.mark.parametrize(("dtype", "steps"), [(torch.float32, 8), (torch.bfloat16, 40)])
def test_a_modular_pipeline_runs_reduced_as_often_as_it_is_called(
    dtype: torch.dtype, steps: int
) -> None:
    """It gives the time in the model's dtype: in bfloat16 some steps have one time."""
    pipe = modular()
    scheduler = FlowMatchEulerDiscreteScheduler(shift=12.0)
    pipe.update_components(transformer=wan(16).model().to(dtype), scheduler=scheduler)
    pipe.set_progress_bar_config(disable=True)

    def run() -> Tensor:
        found: Tensor = pipe(
            prompt_embeds=normal(7, 1, 7, 16).to(dtype),
            negative_prompt_embeds=normal(8, 1, 7, 16).to(dtype),
            num_frames=9, height=64, width=80, num_inference_steps=steps, output="latents",
            generator=torch.Generator().manual_seed(0),
        )  # fmt: skip
        return found

    plain = run()
    config = OrbisConfig(warmup_steps=2, last_full_steps=1, num_steps=steps)
    with apply_orbis(pipe, config):
        first, second = run(), run()
        usage = orbis_summary(pipe).usage
    assert torch.equal(first, second)
    assert not torch.equal(first, plain)
    assert torch.equal(run(), plain)
    times = scheduler.timesteps.to(dtype)
    assert (len(times.unique()) < steps) == (dtype is torch.bfloat16)
    kinds = config.full_steps(steps)
    assert usage.full_calls == 4 * kinds.count(True)  # twice, a prompt and its opposite
    assert usage.reduced_calls == 4 * kinds.count(False)
