"""Tells, before a pipeline's first step, that its transformer is no longer the one patched."""

from collections.abc import Callable, Mapping
from typing import Any

from software.library.reduction.caller import transformers
from software.library.reduction.hook import TransformerHook, hook_of

_METHOD = "progress_bar"
"""What every pipeline of diffusers calls before its first step."""


class ReplacedWatch:
    """Stands before a pipeline's progress bar, and refuses a run that nothing would be reduced in.

    It keeps no transformer: one may be taken out of the pipeline to free its memory.
    """

    def __init__(self, pipe: Any, hooks: Mapping[str, TransformerHook]) -> None:
        self._pipe = pipe
        self._switches = {name: hook.switch for name, hook in hooks.items()}
        self._before: Callable[..., Any] | None = vars(pipe).get(_METHOD)
        setattr(pipe, _METHOD, self.progress_bar)

    @property
    def replaced(self) -> str | None:
        """The pipeline's name for a transformer in the place of a patched one, if there is one."""
        now = transformers(self._pipe)
        for name, switch in self._switches.items():
            if switch.on and name in now and hook_of(now[name]) is None:
                return name
        return None

    def progress_bar(self, *given: Any, **named: Any) -> Any:
        """The pipeline's own, where its transformers are patched."""
        if name := self.replaced:
            raise RuntimeError(
                f"{name} of the pipeline was replaced since it was patched, and would run"
                " unreduced: remove_orbis and apply_orbis again."
            )
        if self._before is not None:
            return self._before(*given, **named)
        return type(self._pipe).progress_bar(self._pipe, *given, **named)

    def remove(self) -> None:
        """Give the pipeline its progress bar back, unless someone stands before it since."""
        if watch_of(self._pipe) is self:
            delattr(self._pipe, _METHOD)
            if self._before is not None:
                setattr(self._pipe, _METHOD, self._before)


def watch_of(pipe: Any) -> ReplacedWatch | None:
    """The watch on a pipeline, if there is one."""
    method = vars(pipe).get(_METHOD) if hasattr(pipe, "__dict__") else None
    owner = getattr(method, "__self__", None)
    return owner if isinstance(owner, ReplacedWatch) else None
