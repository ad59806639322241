"""A proof about one unit, and the broken forms of the unit that it has to refute."""

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from amaranth.lib import wiring


@dataclass(frozen=True)
class Proof:
    """A unit and what is proven of it.

    Attributes:
        unit: its class.
        claim: what is proven, for people.
        properties: makes the component with the assertions, from the class.
        breaks: parts of the class' source, each with another form that makes the claim false.
        reached: what can happen under the assumptions, a bit each of the component's output
            ``reached``; a claim about what cannot happen would hold of anything.
    """

    unit: type[wiring.Component]
    claim: str
    properties: Callable[[type[Any]], wiring.Component]
    breaks: tuple[tuple[str, str], ...]
    reached: tuple[str, ...]

    def component(self) -> wiring.Component:
        """The unit with its assertions."""
        return self.properties(self.unit)

    def broken_component(self, number: int) -> wiring.Component:
        """A broken form of the unit, with the same assertions."""
        return self.properties(_rewritten(self.unit, *self.breaks[number]))


def _rewritten(unit: type, old: str, new: str) -> type:
    """The class with a part of its source in another form.

    Raises:
        ValueError: the part does not occur in its source, or more than once.
    """
    source = inspect.getsource(unit)
    if (count := source.count(old)) != 1:
        raise ValueError(f"{old!r} occurs {count} times in {unit.__name__}; it must occur once.")
    names = dict(vars(sys.modules[unit.__module__]))
    exec(source.replace(old, new), names)
    rewritten: type = names[unit.__name__]
    return rewritten
