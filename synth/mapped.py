"""A design that was mapped to cells: its modules, and sums over their instances."""

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from synth.liberty import Library
from synth.mapping import Flow
from synth.sram import Macro


def short_path(name: str) -> str:
    """A module's path for people: without the top module, and the numbers that Amaranth adds."""
    return re.sub(r"\$\d+", "", name.split(".", 1)[-1])


@dataclass(frozen=True)
class Endpoint:
    """Where a path begins or ends: a register or port, and the file and line that made it.

    ``source`` is empty where Amaranth's name of the net is lost: Yosys made it, or its module was
    flattened.
    """

    net: str
    source: str

    def __str__(self) -> str:
        return f"{self.net} ({self.source})" if self.source else self.net


@dataclass(frozen=True)
class LongestPath:
    """The slowest gates between registers or ports of a module, and their ``delay`` in ps."""

    delay: float
    start: Endpoint
    end: Endpoint


@dataclass(frozen=True)
class MappedModule:
    """One module, once: what it holds of its own, and which modules it instantiates.

    Attributes:
        name: of the module.
        area: um2 of its own cells.
        cells: number of its own cells by library cell.
        flip_flops: how many of those are flip-flops.
        macros: its memories that are SRAM.
        children: instances by module name.
        holds_full_adders: whether some of its cells are full adders, which hide its paths.
        path: its longest path; None if it has no gates, or holds full adders.
        netlist: RTLIL of its library cells, its memories black boxes; empty if not wanted.
    """

    name: str
    area: float
    cells: dict[str, int]
    flip_flops: int
    macros: tuple[Macro, ...]
    children: dict[str, int]
    holds_full_adders: bool
    path: LongestPath | None
    netlist: str = field(repr=False)


@dataclass(frozen=True)
class MappedDesign:
    """All modules below ``top``, by name, as ``flow`` mapped them, with sums over instances."""

    library: Library
    top: str
    modules: dict[str, MappedModule]
    flow: Flow

    def instances_in(self, root: str) -> Counter[str]:
        """How often each module stands in ``root`` (itself once), over all paths; 0 where not."""
        found: Counter[str] = Counter()

        def walk(name: str, times: int) -> None:
            found[name] += times
            for child, count in self.modules[name].children.items():
                walk(child, times * count)

        walk(root, 1)
        return found

    @cached_property
    def instances(self) -> Counter[str]:
        """How often each module stands in the whole design."""
        return self.instances_in(self.top)

    @cached_property
    def area(self) -> float:
        """um2 of all cells, memories that are SRAM not counted."""
        return self.area_of(self.top)

    def area_of(self, root: str) -> float:
        """um2 of the cells of one instance of a module, with all that it contains."""
        return sum(self.modules[name].area * n for name, n in self.instances_in(root).items())

    @property
    def flip_flops(self) -> int:
        """Flip-flops of all instances."""
        return sum(self.modules[name].flip_flops * n for name, n in self.instances.items())

    @property
    def macros(self) -> Counter[Macro]:
        """SRAM macros of all instances."""
        found: Counter[Macro] = Counter()
        for name, count in self.instances.items():
            for macro in self.modules[name].macros:
                found[macro] += count
        return found
