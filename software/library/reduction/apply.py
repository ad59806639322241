"""Turning token reduction on and off, and telling what it did.

    apply_orbis(pipe, OrbisConfig(ratio=0.38))
    video = pipe(prompt)
    print(orbis_summary(pipe))
    remove_orbis(pipe)

``with apply_orbis(...):`` removes it at the end of the block.
"""

from types import TracebackType
from typing import Any

from diffusers.hooks import HookRegistry
from torch import nn

from software.library.config import OrbisConfig
from software.library.matchers import Matcher, make_matcher
from software.library.reduction.attention import ReducedAttention
from software.library.reduction.hook import TransformerHook
from software.library.reduction.patchable import patchable
from software.library.reduction.step_counter import StepCounter
from software.library.reduction.summary import OrbisSummary, sum_up
from software.library.reduction.usage import Usage

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
        self, models: dict[str, nn.Module], hooks: dict[str, TransformerHook], counter: StepCounter
    ) -> None:
        self.models = models
        self._hooks, self._counter = hooks, counter

    @property
    def usage(self) -> Usage:
        """Totals of all the transformers; they stay after removal."""
        return sum((hook.usage for hook in self._hooks.values()), Usage())

    def reset(self) -> None:
        """Begin the next run at its first step. A pipeline does so by itself when it ends."""
        self._counter.reset()

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


def apply_orbis(
    pipe_or_transformer: Any, config: OrbisConfig | None = None, *, matcher: Matcher | None = None
) -> AppliedOrbis:
    """Patch every self-attention over video tokens of a diffusers pipeline or transformer.

    Args:
        pipe_or_transformer: a pipeline with a transformer of a supported family
            (software.library.families), or such a transformer.
        config: see there; its defaults if None.
        matcher: matches instead of the one that the config names (software.library.matchers).

    Raises:
        ValueError: nothing that can be patched, patched already, a cache of diffusers in use,
            layers of mixed devices, layer numbers that do not exist, or ``last_full_steps``
            without a number of steps.
    """
    config = config or OrbisConfig()
    models, pipe = _models(pipe_or_transformer), pipe_or_transformer
    if isinstance(pipe, nn.Module):
        pipe = None

    def num_steps() -> int | None:
        return getattr(pipe, "num_timesteps", None) or config.num_steps

    def timesteps() -> object:
        return getattr(getattr(pipe, "scheduler", None), "timesteps", None)

    for model in models.values():
        if _hook_of(model):
            raise ValueError(f"{_title(model)} is patched already; remove_orbis undoes it.")
    found = {name: patchable(model, config) for name, model in models.items()}
    _check_steps(pipe_or_transformer, config)
    counter, hooks = StepCounter(timesteps), {}
    matcher = matcher or make_matcher(config)
    for name, (family, layers) in found.items():
        paths = {number: path for number, (path, _) in layers.items()}
        hook = TransformerHook(config, family, paths, matcher, counter, num_steps)
        hooks[name] = hook
        _put(models[name], hook, [attn for _, attn in layers.values()])
    return AppliedOrbis(models, hooks, counter)


def remove_orbis(pipe_or_transformer: Any) -> None:
    """Give a pipeline or transformer its attention back.

    Raises:
        ValueError: it is not patched.
    """
    removed = [_remove(model) for model in _models(pipe_or_transformer).values()]
    if not any(removed):
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
    return sum_up(hooks)


def _models(pipe_or_transformer: Any) -> dict[str, nn.Module]:
    """The transformers of a pipeline, by their names in it, without what ``torch.compile`` adds."""
    if isinstance(pipe_or_transformer, nn.Module):
        found = {_NAMES[0]: pipe_or_transformer}
    else:
        parts = {name: getattr(pipe_or_transformer, name, None) for name in _NAMES}
        found = {name: model for name, model in parts.items() if isinstance(model, nn.Module)}
    if not found:
        raise ValueError(_no_transformer(pipe_or_transformer))
    return {name: getattr(model, "_orig_mod", model) for name, model in found.items()}


def _no_transformer(pipe: Any) -> str:
    """Why nothing of a pipeline, or of what was given for one, can be patched."""
    empty = [name for name in _NAMES if getattr(pipe, name, ()) is None]
    if not empty:
        return f"{_title(pipe)} has no transformer; nothing can be patched."
    return (
        f"{_title(pipe)}'s {empty[0]} is None; load it first (a modular pipeline does in"
        " load_components), then patch."
    )


def _check_steps(pipe_or_transformer: Any, config: OrbisConfig) -> None:
    """Refuse a config that needs the number of steps where nobody will tell it."""
    if not config.needs_steps or config.num_steps is not None:
        return
    alone = isinstance(pipe_or_transformer, nn.Module)
    if not alone and hasattr(type(pipe_or_transformer), "num_timesteps"):
        return
    who = "a transformer alone" if alone else f"a {_title(pipe_or_transformer)}"
    raise ValueError(
        f"warmup_steps is {config.warmup_steps} and last_full_steps {config.last_full_steps}, but"
        f" {who} does not know how many steps a run has: give num_steps"
        f"{', or the pipeline' if alone else ''}."
    )


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
