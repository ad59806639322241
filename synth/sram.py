"""Area of on-chip memories as SRAM macros, by node and shape.

A macro's area grows with its bits and, for sense amplifiers and drivers, with its columns: with W
columns of d words, ``area = W (a d + b)``, so ``a + b / d`` a bit, which falls with depth and is
high for shallow arrays, however wide.

Sources: the field notes' points for 45 nm single-port macros, 0.50 um2 a bit at 1024 x 32 and 2.07
at 64 x 256, give a and b; the model then has 0.60 at 512 x 64 and 0.81 at 256 words, where the
notes have 0.5 to 0.8, and 1.23 at 128 (1.0 to 2.07, 'wide and shallow'). Below 64 and above 1,024
words it extrapolates. For 7 nm they have 0.042
single-port and 0.060 dual-port, taken as those of a 1024-word macro; the ratio of the two is used
for dual port at every node, and DeepScaleTool's factor between 45 and 28 nm (synth.scaling).
"""

from dataclasses import dataclass

from synth.scaling import AREA

DEEPEST_KNOWN = 1024
"""Words of the deepest macro whose area is known."""
_DEEP, _SHALLOW = (DEEPEST_KNOWN, 0.50), (64, 2.07)
"""(words, um2 a bit) of the two 45 nm points that fix the model."""
_PER_COLUMN = (_SHALLOW[1] - _DEEP[1]) / (1 / _SHALLOW[0] - 1 / _DEEP[0])
_PER_BIT = _DEEP[1] - _PER_COLUMN / _DEEP[0]
_SINGLE_7NM, _DUAL_7NM = 0.042, 0.060
_DUAL_PORT = _DUAL_7NM / _SINGLE_7NM
_NODE = {45: 1.0, 28: AREA[28] / AREA[45], 7: _SINGLE_7NM / _DEEP[1]}


@dataclass(frozen=True)
class Macro:
    """A memory: ``depth`` words of ``width`` bits, ``ports`` 1 (shared) or 2 (a read, a write).

    Raises:
        ValueError: a size below 1, or another number of ports.
    """

    depth: int
    width: int
    ports: int = 1

    def __post_init__(self) -> None:
        for name in ("depth", "width"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if self.ports not in (1, 2):
            raise ValueError(f"ports is {self.ports}; it must be 1 or 2.")

    @property
    def bits(self) -> int:
        """Bits that it stores."""
        return self.depth * self.width

    def area(self, node: int = 45) -> float:
        """Area in um2 at a node of 45, 28 or 7 nm.

        Raises:
            ValueError: another node.
        """
        if node not in _NODE:
            raise ValueError(f"node is {node}; it must be one of {', '.join(map(str, _NODE))}.")
        area = self.width * (_PER_BIT * self.depth + _PER_COLUMN) * _NODE[node]
        return area * _DUAL_PORT if self.ports == 2 else area
