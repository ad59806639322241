"""What a call of a patched transformer is refused for, before it spends anything."""

import warnings
from collections.abc import Mapping, Sequence
from types import CodeType
from typing import Any

import torch
from torch import nn

from software.library.config import OrbisConfig
from software.library.families import Family
from software.library.reduction.runs import Runs


def check_call(model: Any, layers: Mapping[str, Any], hook: object) -> None:
    """Refuse a call that would not be reduced, or whose gradients could not be found.

    Args:
        model: the transformer.
        layers: its patched layers, by path.
        hook: the one that their processors ask.

    Raises:
        RuntimeError: a cache of diffusers is in use, a layer has another processor than token
            reduction's, or gradients would be found by running layers again.
    """
    if getattr(model, "is_cache_enabled", False):
        raise RuntimeError(
            f"{type(model).__name__} has had a cache enabled since it was patched, which skips"
            " attention layers: disable_cache, or remove_orbis."
        )
    for path, attn in layers.items():
        if getattr(attn.processor, "steps", None) is not hook:
            raise RuntimeError(
                f"{path} has had its processor replaced by a {type(attn.processor).__name__} since"
                " it was patched: remove_orbis, and apply_orbis again where that processor is the"
                " family's."
            )
    if torch.is_grad_enabled() and getattr(model, "gradient_checkpointing", False):
        raise RuntimeError(
            "gradient checkpointing runs layers again in the backward pass, where their step is not"
            " known: disable_gradient_checkpointing, or call the model under torch.no_grad()."
        )
    if torch._C._current_graph_task_id() != -1:
        raise RuntimeError(
            "a patched transformer is run again in a backward pass, where its step is not known:"
            " call it without checkpointing, or under torch.no_grad()."
        )


def check_nesting(calls: Sequence[tuple[Any, CodeType]], runs: Runs) -> None:
    """Refuse a run inside another one, as a preview is, that takes the outer one's place.

    Args:
        calls: the calls of pipelines that this thread is in, the innermost first.
        runs: the runs that are under way.

    Raises:
        RuntimeError: the inner pipeline, or its scheduler, is the outer one's.
    """
    if not calls:
        return
    pipe, code = calls[0]
    for outer, others in calls[1:]:
        if outer is pipe:
            shared = code is others  # else a method that calls another
        else:
            shared = outer.scheduler is pipe.scheduler and runs.of(outer).counter.step >= 0
        if shared:
            raise RuntimeError(
                f"a {type(pipe).__name__} runs inside another run of its scheduler, which would"
                " lose its place: give the inner pipeline a scheduler of its own."
            )


def check_run(
    config: OrbisConfig, family: Family, layers: Mapping[str, nn.Module], steps: int | None
) -> None:
    """Refuse at the first call of a run what would fail, or be of no effect, in a later one.

    Raises:
        ValueError: an attention backend that cannot do what the config asks for.
    """
    if not config.ratio or not config.rc_steps:
        return
    if config.proportional and config.targets == "qkv" and not config.keeps_results:
        processor: Any = next(iter(layers.values())).processor
        family.check_bias(processor)
    if steps and all(config.full_steps(steps)):
        warnings.warn(
            f"no step of a run of {steps} is reduced: {config.warmup(steps)} full steps come "
            f"first and {config.last_full_steps} last (OrbisConfig).",
            stacklevel=2,
        )
