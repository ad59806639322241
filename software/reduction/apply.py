"""Turning token reduction on and off, and telling what it did.

    apply_orbis(pipe, OrbisConfig(ratio=0.38))
    video = pipe(prompt)
    print(orbis_summary(pipe))
    remove_orbis(pipe)

``with apply_orbis(...):`` removes it at the end of the block.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from diffusers.hooks import HookRegistry
from torch import nn

from software.config import OrbisConfig
from software.families import FAMILIES, Family, family_of
from software.matchers import Matcher, make_matcher
from software.reduction.attention import ReducedAttention
from software.reduction.hook import TransformerHook
from software.reduction.run import Run
from software.reduction.usage import Usage

_NAMES = ("transformer", "transformer_2")
"""Attributes of a pipeline that hold transformers; Wan 2.2 has two."""
_MARK = "_orbis"
"""Attribute of a patched transformer, and the name of the hook on its first layer."""


class AppliedOrbis:
    """Token reduction that is on; a context manager that turns it off on leaving.

    Attributes:
        models: the patched transformers, by the pipeline's name for them.
    """

    def __init__(
        self, models: dict[str, nn.Module], hooks: dict[str, TransformerHook], run: Run
    ) -> None:
        self.models = models
        self._hooks, self._run = hooks, run

    @property
    def usage(self) -> Usage:
        """Totals of all the transformers; they stay after removal."""
        return sum((hook.usage for hook in self._hooks.values()), Usage())

    def reset(self) -> None:
        """Begin the next run at its first step. A pipeline does so by itself when it ends."""
        self._run.reset()

    def remove(self) -> None:
        """Give the models their attention back; doing so twice is harmless."""
        for name, model in self.models.items():
            if getattr(model, _MARK, None) is self._hooks[name]:
                _remove(model)

    def __enter__(self) -> "AppliedOrbis":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove()


@dataclass(frozen=True)
class OrbisSummary:
    """What is patched and what was done; ``str()`` tells it in some lines.

    Attributes:
        config: what was asked for.
        matcher: what matches: the config's, or the name of what was given instead.
        layers: paths of the patched attention layers, under the pipeline's name for the model.
        usage: totals since patching.
    """

    config: OrbisConfig
    matcher: str
    layers: tuple[str, ...]
    usage: Usage

    def __str__(self) -> str:
        """Some lines of text."""
        config, usage = self.config, self.usage
        first = config.warmup_steps
        warmup = f"{first:g} full steps" if first >= 1 else f"the first {first:.0%} of the steps"
        return "\n".join(
            [
                f"{len(self.layers)} attention layers patched: {self.layers[0]} to"
                f" {self.layers[-1]}",
                f"{self.matcher}, on {config.guide.replace('_', ' and ')}; {config.ratio:.0%} of"
                f" the video tokens dropped in reduced steps, FC:RC 1:{config.rc_steps} after"
                f" {warmup}",
                f"so far {usage.full_calls} full and {usage.reduced_calls} reduced calls:"
                f" {usage.reduction:.1%} of all video-token rows dropped,"
                f" {usage.reduction_rc:.1%} of those in reduced calls",
                f"attention {usage.attention_seconds:.2f} s, {usage.matchings} matchings"
                f" {usage.matching_seconds:.2f} s (host time)",
            ]
        )


def apply_orbis(
    pipe_or_transformer: Any, config: OrbisConfig | None = None, *, matcher: Matcher | None = None
) -> AppliedOrbis:
    """Patch every self-attention over video tokens of a diffusers pipeline or transformer.

    Args:
        pipe_or_transformer: a pipeline with a transformer of a supported family (CogVideoX,
            HunyuanVideo, Wan, LTX-Video, Mochi), or such a transformer.
        config: see there; its defaults if None.
        matcher: matches instead of the one that the config names (software.matchers).

    Raises:
        ValueError: nothing that can be patched, patched already, a cache of diffusers in use,
            layers of mixed devices, layer numbers that do not exist, or ``last_full_steps``
            without a number of steps.
    """
    config = config or OrbisConfig()
    models, pipe = _models(pipe_or_transformer), pipe_or_transformer
    if isinstance(pipe, nn.Module):
        pipe = None
        if config.needs_steps and config.num_steps is None:
            raise ValueError(
                f"warmup_steps is {config.warmup_steps} and last_full_steps"
                f" {config.last_full_steps}, but a transformer alone does not know how many steps a"
                " run has: give num_steps, or the pipeline."
            )

    def num_steps() -> int | None:
        return getattr(pipe, "num_timesteps", None) or config.num_steps

    def timesteps() -> object:
        return getattr(getattr(pipe, "scheduler", None), "timesteps", None)

    planned = {name: _checked(model, config) for name, model in models.items()}
    run, hooks = Run(timesteps), {}
    matcher = matcher or make_matcher(config)
    for name, (family, layers) in planned.items():
        paths = {number: path for number, (path, _) in layers.items()}
        hook = TransformerHook(config, family, paths, matcher, run, num_steps)
        hooks[name] = hook
        _put(models[name], hook, [attn for _, attn in layers.values()])
    return AppliedOrbis(models, hooks, run)


def remove_orbis(pipe_or_transformer: Any) -> None:
    """Give a pipeline or transformer its attention back.

    Raises:
        ValueError: it is not patched.
    """
    models = _models(pipe_or_transformer)
    if not any(_remove(model) for model in models.values()):
        raise ValueError(f"{_title(pipe_or_transformer)} is not patched; there is nothing to undo.")


def orbis_summary(pipe_or_transformer: Any) -> OrbisSummary:
    """What is patched and what it did so far.

    Raises:
        ValueError: it is not patched.
    """
    found = {name: _hook_of(model) for name, model in _models(pipe_or_transformer).items()}
    hooks = {name: hook for name, hook in found.items() if hook}
    if not hooks:
        raise ValueError(f"{_title(pipe_or_transformer)} is not patched; apply_orbis patches it.")
    layers = [f"{name}.{path}" for name, hook in hooks.items() for path in hook.layers.values()]
    first = next(iter(hooks.values()))
    usage = sum((hook.usage for hook in hooks.values()), Usage())
    return OrbisSummary(first.config, _described(first), tuple(layers), usage)


def _described(hook: TransformerHook) -> str:
    """The config's matcher, or the name of what matches in its place."""
    config, kind = hook.config, type(hook.matcher)
    if kind is not type(make_matcher(config)):
        return str(getattr(hook.matcher, "__name__", kind.__name__))
    if config.matcher != "datm":
        return config.matcher
    return "datm, float" if config.bits is None else f"datm, {config.bits}-bit"


def _models(pipe_or_transformer: Any) -> dict[str, nn.Module]:
    """The transformers of a pipeline, by their names in it, without what ``torch.compile`` adds."""
    if isinstance(pipe_or_transformer, nn.Module):
        found = {_NAMES[0]: pipe_or_transformer}
    else:
        parts = {name: getattr(pipe_or_transformer, name, None) for name in _NAMES}
        found = {name: model for name, model in parts.items() if isinstance(model, nn.Module)}
    if not found:
        raise ValueError(
            f"{_title(pipe_or_transformer)} has no transformer; nothing can be patched."
        )
    return {name: getattr(model, "_orig_mod", model) for name, model in found.items()}


def _title(thing: Any) -> str:
    return type(thing).__name__


def _hook_of(model: nn.Module) -> TransformerHook | None:
    hook: TransformerHook | None = getattr(model, _MARK, None)
    return hook


def _put(model: nn.Module, hook: TransformerHook, layers: list[Any]) -> None:
    """Patch a transformer."""
    hook.attach(model)
    HookRegistry.check_if_exists_or_initialize(layers[0]).register_hook(hook.context, _MARK)
    _forget_children(model)
    for number, attn in zip(hook.layers, layers, strict=True):
        attn.processor = ReducedAttention(hook, hook.family, number, attn.processor)
    setattr(model, _MARK, hook)


def _forget_children(model: nn.Module) -> None:
    """Let diffusers find anew which layers have hooks."""
    HookRegistry.check_if_exists_or_initialize(model).invalidate_child_registries_cache()


def _checked(model: nn.Module, config: OrbisConfig) -> tuple[Family, dict[int, tuple[str, Any]]]:
    """The model's family, and number, path and module of each layer to patch."""
    family = family_of(model)
    if family is None:
        known = ", ".join(each.name for each in FAMILIES)
        raise ValueError(
            f"{_title(model)} is not of a family whose attention can be reduced: {known}."
        )
    if _hook_of(model):
        raise ValueError(f"{_title(model)} is patched already; remove_orbis undoes it.")
    if getattr(model, "is_cache_enabled", False):
        raise ValueError(
            f"{_title(model)} has a cache enabled that skips attention layers; disable_cache first."
        )
    layers = dict(enumerate(family.attentions(model).items()))
    if config.layers is not None:
        layers = {number: layers[number] for number in _known(config.layers, len(layers))}
    _check_processors(family, layers)
    _check_devices(layers)
    return family, layers


def _known(numbers: tuple[int, ...], count: int) -> Iterator[int]:
    if not numbers:
        raise ValueError("layers is empty, so nothing would be patched; None patches all.")
    for number in numbers:
        if not 0 <= number < count:
            raise ValueError(f"layers lists {number}; the model has layers 0..{count - 1}.")
        yield number


def _check_processors(family: Family, layers: dict[int, tuple[str, Any]]) -> None:
    for path, attn in layers.values():
        processor = attn.processor
        if _title(processor) not in family.processors:
            raise ValueError(
                f"{path} has a {_title(processor)}; token reduction knows "
                f"{' and '.join(family.processors)} only."
            )
        if getattr(attn, "fused_projections", False):
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


def _remove(model: nn.Module) -> bool:
    """Undo ``apply_orbis`` on a transformer; whether there was something to undo."""
    hook = _hook_of(model)
    if hook is None:
        return False
    layers: list[Any] = list(hook.family.attentions(model).values())
    for number in hook.layers:
        if isinstance(layers[number].processor, ReducedAttention):
            layers[number].processor = layers[number].processor.original
    first = layers[next(iter(hook.layers))]
    HookRegistry.check_if_exists_or_initialize(first).remove_hook(_MARK, recurse=False)
    _forget_children(model)
    hook.detach()
    delattr(model, _MARK)
    return True
