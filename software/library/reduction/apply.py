"""Turning token reduction on and off, and telling what it did.

    apply_orbis(pipe, OrbisConfig())
    video = pipe(prompt)
    print(orbis_summary(pipe))
    remove_orbis(pipe)

``with apply_orbis(...):`` removes it at the end of the block.
"""

from types import TracebackType
from typing import Any

from torch import nn

from golden.scalars import integer
from software.library.config import OrbisConfig
from software.library.matchers import Matcher, make_matcher
from software.library.reduction.attention import ReducedAttention, own_processor
from software.library.reduction.caller import NAMES, bare, calling_pipeline, transformers
from software.library.reduction.hook import MARK, TransformerHook, hook_of
from software.library.reduction.patchable import check_steps, patchable
from software.library.reduction.replaced import ReplacedWatch, watch_of
from software.library.reduction.runs import Run, Runs
from software.library.reduction.summary import OrbisSummary, sum_up
from software.library.reduction.usage import Usage


class AppliedOrbis:
    """Token reduction that is on; a context manager that turns it off on leaving.

    Attributes:
        models: the patched transformers, by the pipeline's name for them.
    """

    def __init__(
        self,
        models: dict[str, nn.Module],
        hooks: dict[str, TransformerHook],
        runs: Runs,
        watch: ReplacedWatch | None,
    ) -> None:
        self.models = models
        self._hooks, self._runs, self._watch = hooks, runs, watch

    @property
    def usage(self) -> Usage:
        """Totals of all the transformers; they stay after removal."""
        return sum((hook.usage for hook in self._hooks.values()), Usage())

    def reset(self) -> None:
        """Begin the caller's next run at its first step, and free what this one keeps.

        It is for calls outside of a pipeline, in the thread that makes them; a pipeline's runs are
        told apart without it.
        """
        self._run.reset()

    def set_step(self, step: int, num_steps: int | None = None) -> None:
        """Tell the step of the caller's next calls of the transformers.

        For a loop of one's own whose calls do not tell it: with a constant time, as speed tests
        have, or with several times in one step. The caller is the thread, and in it the pipeline
        whose method or callback tells it. It holds until it is set again, or ``reset``; step 0, and
        one further back than the last, begins a run.

        Args:
            step: its number, from 0.
            num_steps: of the run, where a part of it or its end is to be full.

        Raises:
            ValueError: no integer, a step below 0, or one beyond the run.
        """
        step = integer("step", step)
        num_steps = None if num_steps is None else integer("num_steps", num_steps)
        if step < 0 or (num_steps is not None and step >= num_steps):
            rule = "at least 0" if num_steps is None else f"in 0..{num_steps - 1}"
            raise ValueError(f"step is {step}; it must be {rule}.")
        self._run.set_step(step, num_steps)

    @property
    def _run(self) -> Run:
        """The run of whoever asks."""
        return self._runs.of(calling_pipeline(next(iter(self.models.values()))))

    def remove(self) -> None:
        """Give the models their attention back; doing so twice is harmless."""
        for name, model in self.models.items():
            if hook_of(model) is self._hooks[name]:
                _remove(model)
        if self._watch is not None:
            self._watch.remove()

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
    models = _models(pipe_or_transformer)
    for model in models.values():
        if hook_of(model):
            raise ValueError(f"{_title(model)} is patched already; remove_orbis undoes it.")
    found = {name: patchable(model, config) for name, model in models.items()}
    check_steps(pipe_or_transformer, config)
    stale = watch_of(pipe_or_transformer)
    if stale is not None:
        if stale.replaced:
            raise ValueError(
                f"{_title(pipe_or_transformer)} had a transformer patched that was replaced since;"
                " remove_orbis undoes it."
            )
        stale.remove()
    runs, matcher = Runs(), matcher or make_matcher(config)
    hooks: dict[str, TransformerHook] = {}
    for name, (family, layers) in found.items():
        paths = {number: path for number, (path, _) in layers.items()}
        hooks[name] = TransformerHook(config, family, paths, matcher, runs)
        _put(models[name], hooks[name], [attn for _, attn in layers.values()])
    watch = None
    if hasattr(type(pipe_or_transformer), "progress_bar"):
        watch = ReplacedWatch(pipe_or_transformer, hooks)
    return AppliedOrbis(models, hooks, runs, watch)


def remove_orbis(pipe_or_transformer: Any) -> None:
    """Give a pipeline or transformer its attention back.

    A transformer that was taken out of its pipeline since is not reached: that is done by the
    transformer itself, or by `AppliedOrbis.remove`.

    Raises:
        ValueError: it is not patched.
    """
    removed = [_remove(model) for model in _models(pipe_or_transformer).values()]
    watch = watch_of(pipe_or_transformer)
    if watch is not None:
        watch.remove()
    if watch is None and not any(removed):
        raise ValueError(f"{_title(pipe_or_transformer)} is not patched; there is nothing to undo.")


def orbis_summary(pipe_or_transformer: Any) -> OrbisSummary:
    """What is patched and what it did so far.

    Raises:
        ValueError: it is not patched.
    """
    found = {name: hook_of(model) for name, model in _models(pipe_or_transformer).items()}
    hooks = {name: hook for name, hook in found.items() if hook}
    if not hooks:
        raise ValueError(f"{_title(pipe_or_transformer)} is not patched; apply_orbis patches it.")
    return sum_up(hooks)


def _models(pipe_or_transformer: Any) -> dict[str, nn.Module]:
    """The different transformers of a pipeline, by their names in it."""
    if isinstance(pipe_or_transformer, nn.Module):
        return {NAMES[0]: bare(pipe_or_transformer)}
    found: dict[str, nn.Module] = {}
    for name, model in transformers(pipe_or_transformer).items():
        if model not in found.values():
            found[name] = model
    if not found:
        raise ValueError(_no_transformer(pipe_or_transformer))
    return found


def _no_transformer(pipe: Any) -> str:
    """Why nothing of a pipeline, or of what was given for one, can be patched."""
    empty = [name for name in NAMES if getattr(pipe, name, ()) is None]
    if not empty:
        return f"{_title(pipe)} has no transformer; nothing can be patched."
    return (
        f"{_title(pipe)}'s {empty[0]} is None; load it first (a modular pipeline does in"
        " load_components), then patch."
    )


def _title(thing: Any) -> str:
    return type(thing).__name__


def _put(model: nn.Module, hook: TransformerHook, layers: list[Any]) -> None:
    """Patch a transformer."""
    hook.attach(model)
    for number, attn in zip(hook.layers, layers, strict=True):
        attn.processor = ReducedAttention(hook, hook.family, number, own_processor(attn))
    setattr(model, MARK, hook)


def _remove(model: nn.Module) -> bool:
    """Undo ``apply_orbis`` on a transformer; whether there was something to undo."""
    hook = hook_of(model)
    if hook is None:
        return False
    hook.detach()
    delattr(model, MARK)
    for attn in hook.family.attentions(model).values():
        layer: Any = attn
        layer.processor = own_processor(layer)
    return True
