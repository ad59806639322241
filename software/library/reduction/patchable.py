"""What a transformer must be for its attention to be reduced."""

from collections.abc import Iterator
from typing import Any

from torch import nn

from software.library.config import OrbisConfig
from software.library.families import Family, family_of
from software.library.reduction.attention import own_processor


def patchable(model: nn.Module, config: OrbisConfig) -> tuple[Family, dict[int, tuple[str, Any]]]:
    """The model's family, and number, path and module of each layer to patch.

    Raises:
        ValueError: another family, a cache of diffusers in use, or layers that do not exist, have
            another processor than the family's, or lie on devices of several types.
    """
    family = family_of(model)
    if getattr(model, "is_cache_enabled", False):
        raise ValueError(
            f"{type(model).__name__} has a cache enabled that skips attention layers; "
            "disable_cache first."
        )
    layers = dict(enumerate(family.attentions(model).items()))
    if config.layers is not None:
        layers = {number: layers[number] for number in _known(config.layers, len(layers))}
    _check_processors(family, layers)
    _check_devices(layers)
    return family, layers


def check_steps(pipe_or_transformer: Any, config: OrbisConfig) -> None:
    """Refuse a config that needs the number of steps where nobody will tell it.

    Raises:
        ValueError: so it is.
    """
    if not config.needs_steps or config.num_steps is not None:
        return
    alone = isinstance(pipe_or_transformer, nn.Module)
    if not alone and hasattr(type(pipe_or_transformer), "num_timesteps"):
        return
    who = "a transformer alone" if alone else f"a {type(pipe_or_transformer).__name__}"
    raise ValueError(
        f"warmup_steps is {config.warmup_steps} and last_full_steps {config.last_full_steps}, but"
        f" {who} does not know how many steps a run has: give num_steps"
        f"{', or the pipeline' if alone else ''}."
    )


def _known(numbers: tuple[int, ...], count: int) -> Iterator[int]:
    if not numbers:
        raise ValueError("layers is empty, so nothing would be patched; None patches all.")
    for number in numbers:
        if not 0 <= number < count:
            raise ValueError(f"layers lists {number}; the model has layers 0..{count - 1}.")
        yield number


def _check_processors(family: Family, layers: dict[int, tuple[str, Any]]) -> None:
    for path, attn in layers.values():
        processor = own_processor(attn)
        if type(processor).__name__ not in family.processors:
            raise ValueError(
                f"{path} has a {type(processor).__name__}; token reduction knows "
                f"{' and '.join(family.processors)} only."
            )
        if family.is_fused(attn):
            raise ValueError(f"{path} has fused projections; unfuse_qkv_projections first.")
        if getattr(processor, "_parallel_config", None) is not None:
            raise ValueError(
                f"{path} splits its tokens over devices (context parallelism), which token "
                "reduction does not support."
            )


def _check_devices(layers: dict[int, tuple[str, Any]]) -> None:
    """Layers on several devices of one type are fine: each has its pairs where its tokens are."""
    kinds = {
        parameter.device.type for _, attn in layers.values() for parameter in attn.parameters()
    }
    if len(kinds) > 1:
        raise ValueError(
            f"the attention layers lie on {' and '.join(sorted(kinds))}; they must lie on devices "
            "of one type."
        )
