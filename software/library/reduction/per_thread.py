"""A value of each thread's own."""

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class PerThread(Generic[T]):
    """What ``make`` returned to this thread; other threads have theirs.

    A thread's value goes with the thread. Copies, and what pickle brings back, begin anew: what a
    run keeps is of no use to another model.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._local = threading.local()

    @property
    def value(self) -> T:
        """The calling thread's, made when it is first asked for."""
        if not hasattr(self._local, "value"):
            self._local.value = self._make()
        value: T = self._local.value
        return value

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy what makes the values, not the values."""
        return PerThread, (self._make,)
