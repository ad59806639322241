"""Which cache context of diffusers a call is made in, and when a pipeline ends."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from diffusers.hooks.hooks import CacheContext

from software.library.reduction.per_thread import PerThread

_METHODS = ("cache_context", "_reset_stateful_cache")
"""Methods of diffusers' ``CacheMixin`` that it stands before."""


class _Entered:
    """The cache context that a thread is in."""

    context: CacheContext | None = None


class ContextWatch:
    """Stands before the methods of a transformer by which pipelines tell their place.

    Each thread is in a cache context of its own, and a copied transformer is watched by a copy:
    diffusers' hooks, which are told the same, know one context, and call the original's layers.
    """

    def __init__(self, ended: Callable[[], None]) -> None:
        """``ended`` is called where a pipeline ends."""
        self._ended = ended
        self._entered = PerThread(_Entered)
        self._model: Any = None

    def attach(self, model: Any) -> None:
        """Watch a transformer."""
        self._model = model
        for name in _METHODS:
            if hasattr(type(model), name):
                setattr(model, name, getattr(self, name))

    def detach(self) -> None:
        """Watch no longer."""
        for name in _METHODS:
            vars(self._model).pop(name, None)
        self._model = None

    @property
    def context(self) -> CacheContext | None:
        """The cache context that this thread is in."""
        return self._entered.value.context

    @contextmanager
    def cache_context(self, name: str, **place: Any) -> Iterator[None]:
        """As the transformer's own."""
        entered = self._entered.value
        before, entered.context = entered.context, CacheContext(name, **place)
        try:
            with type(self._model).cache_context(self._model, name, **place):
                yield
        finally:
            entered.context = before

    def _reset_stateful_cache(self, *given: Any, **named: Any) -> Any:
        """As the transformer's own: pipelines call it when they end."""
        self._ended()
        return type(self._model)._reset_stateful_cache(self._model, *given, **named)
