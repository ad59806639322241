"""A proof about one unit, and the broken forms of the unit that it has to refute."""

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from amaranth.lib import wiring


@dataclass(frozen=True)
class Proof:
    """A unit and what is proven of it.

    Attributes:
        unit: its class, or the function that it is.
        claim: what is proven, for people.
        properties: makes the component with the assertions, from the class or function.
        breaks: parts of its module's source, each with another form that makes the claim false.
        reached: what can happen under the assumptions, a bit each of the component's output
            ``reached``; a claim about what cannot happen would hold of anything.
        window: see `formal.prover.prove`.
        instead: names of the module that stand for something else than in the engine: for a smaller
            number, or for a simple part that does what the real one is proven to do.
        slow: it takes more than some seconds, and is left to ``make formal``.
    """

    unit: Callable[..., Any]
    claim: str
    properties: Callable[[Any], wiring.Component]
    breaks: tuple[tuple[str, str], ...]
    reached: tuple[str, ...]
    window: int = 0
    instead: Mapping[str, Any] = field(default_factory=dict)
    slow: bool = False

    def component(self) -> wiring.Component:
        """The unit with its assertions."""
        return self.properties(self.made_of(self.source))

    def broken_component(self, number: int) -> wiring.Component:
        """A broken form of the unit, with the same assertions.

        Raises:
            ValueError: the part to break does not occur in the source, or more than once.
        """
        old, new = self.breaks[number]
        if (count := self.source.count(old)) != 1:
            name = self.unit.__module__
            raise ValueError(f"{old!r} occurs {count} times in {name}; it must occur once.")
        return self.properties(self.made_of(self.source.replace(old, new)))

    @property
    def source(self) -> str:
        """That of the unit's module."""
        return inspect.getsource(sys.modules[self.unit.__module__])

    def made_of(self, source: str) -> Any:
        """The unit as another source of its module makes it.

        Raises:
            ValueError: the module has no name of something that is to be something else.
        """
        module = self.unit.__module__
        names: dict[str, Any] = {"__name__": module}
        exec(compile(source, module, "exec"), names)
        if unknown := sorted(self.instead.keys() - names.keys()):
            raise ValueError(f"{module} has no {', '.join(unknown)}")
        names.update(self.instead)
        return names[self.unit.__name__]


def proofs_of(module: ModuleType) -> dict[str, Proof]:
    """The proofs in a module of this folder, by their names there."""
    return {name: proof for name, proof in vars(module).items() if isinstance(proof, Proof)}
