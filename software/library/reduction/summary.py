"""What is patched and what it did, for people."""

from collections.abc import Mapping
from dataclasses import dataclass

from software.library.config import OrbisConfig
from software.library.matchers import make_matcher
from software.library.reduction.hook import TransformerHook
from software.library.reduction.usage import Usage

_TARGETS = {"qkv": "Q, K and V", "q": "Q"}


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
                f"{self._what}, FC:RC 1:{config.rc_steps} after {warmup}",
                f"so far {usage.full_calls} full and {usage.reduced_calls} reduced calls:"
                f" {usage.reduction:.1%} of all video-token rows dropped,"
                f" {usage.reduction_rc:.1%} of those in reduced calls",
                f"attention {usage.attention_seconds:.2f} s, {usage.matchings} matchings"
                f" {usage.matching_seconds:.2f} s (host time)",
                f"kept from step to step: {usage.kept_bytes / 2**30:.2f} GiB at most"
                f" ({usage.kept_bytes / len(self.layers) / 2**20:.1f} MiB a layer), index lists"
                f" among it: {usage.kept_share:.1%} of the {usage.result_bytes / 2**30:.2f} GiB"
                " that keeping all results takes",
            ]
        )

    @property
    def _what(self) -> str:
        """What a reduced step does."""
        config = self.config
        if config.keeps_results:
            return "whole results of the full step stand in reduced steps (attention broadcast)"
        return (
            f"{self.matcher}, on {config.guide.replace('_', ' and ')}; {config.ratio:.0%} of the"
            f" video tokens dropped from {_TARGETS[config.targets]} in reduced steps and restored"
            f" by {config.restore}"
        )


def sum_up(hooks: Mapping[str, TransformerHook]) -> OrbisSummary:
    """What the hooks on a pipeline's transformers did, by their names in it."""
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
