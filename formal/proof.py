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
        properties: makes the component with the assertions, from the class
            or what stands for it.
        breaks: parts of the class' source, each with another form that makes the claim false.
        reached: what can happen under the assumptions, a bit each of the component's output
            ``reached``; a claim about what cannot happen would hold of anything.
    """

    unit: type[wiring.Component]
    claim: str
    properties: Callable[[Callable[..., Any]], wiring.Component]
    breaks: tuple[tuple[str, str], ...]
    reached: tuple[str, ...]

    def component(self) -> wiring.Component:
        """The unit with its assertions."""
        return self.properties(self.unit)

    def broken_component(self, number: int) -> wiring.Component:
        """A broken form of the unit, with the same assertions.

        Raises:
            ValueError: the part does not occur in the unit's source, or more than once.
        """
        old, new = self.breaks[number]
        source = inspect.getsource(self.unit)
        if (count := source.count(old)) != 1:
            name = self.unit.__name__
            raise ValueError(f"{old!r} occurs {count} times in {name}; it must occur once.")
        return self.properties(rewritten(self.unit, source.replace(old, new)))


def rewritten(unit: type, source: str) -> type:
    """The class of that name in another source, which may use all that the unit's module has."""
    names = dict(vars(sys.modules[unit.__module__]))
    exec(source, names)
    made: type = names[unit.__name__]
    return made
