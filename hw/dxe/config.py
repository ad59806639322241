"""The DXE's configuration: the one source of its sizes."""

from dataclasses import dataclass, field

from hw.config import VALUE_BITS
from hw.dxe.floats import FORMATS, FP32, FloatFormat

_LEAST_SIZE = 7
"""Of columns and the array's shorter side: see `DxeConfig`."""


@dataclass(frozen=True)
class DxeConfig:
    """Sizes of one DXE, checked when made.

    Raises:
        ValueError: one sentence that names the field, its value and the rule. An array must be so
            large that a tile takes no sums before they are written: with columns and the shorter
            side of 7 together at least 4 R + 2 cycles lie between two tiles.
    """

    rows: int = field(metadata={"doc": "rows R of the array: products of a sum in one tile"})
    columns: int = field(metadata={"doc": "columns C of the array, and lanes of the vector unit"})
    weight_rows: int = field(metadata={"doc": "rows of weights on chip"})
    activation_rows: int = field(metadata={"doc": "rows of activations on chip"})
    group_rows: int = field(metadata={"doc": "rows of sums in a group, and of scalars"})
    sum_groups: int = field(default=4, metadata={"doc": "groups of rows of sums"})
    registers: int = field(default=8, metadata={"doc": "scalars kept of each row"})
    token_format: str = field(default="fp16", metadata={"doc": "fp16 or bf16"})

    def __post_init__(self) -> None:
        if self.token_format not in FORMATS:
            raise ValueError(f"token_format is {self.token_format!r}, but must be fp16 or bf16")
        for name in ("columns", "group_rows", "sum_groups"):
            value = getattr(self, name)
            if value < 2 or value & (value - 1):
                raise ValueError(f"{name} is {value}, but must be a power of two, from 2")
        for name, least in (
            ("rows", 1), ("registers", 1), ("activation_rows", 2), ("group_rows", self.columns),
            ("weight_rows", max(self.rows, self.columns)),
        ):  # fmt: skip
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}, but must be {least} or more")
        shorter = min(self.rows, self.columns)
        if self.columns + shorter < _LEAST_SIZE:
            raise ValueError(
                f"columns is {self.columns} and the array's shorter side {shorter}, but together"
                f" they must be {_LEAST_SIZE} or more"
            )

    @property
    def form(self) -> FloatFormat:
        """Of activations and weights."""
        return FORMATS[self.token_format]

    @property
    def sum_rows(self) -> int:
        """Rows of sums in all groups."""
        return self.sum_groups * self.group_rows

    @property
    def weight_banks(self) -> int:
        """Elements of a row of weights: of one tile's rows, or of its transpose's."""
        return max(self.rows, self.columns)

    @property
    def memory_bytes(self) -> int:
        """Bytes on chip, of scalars both copies."""
        short = self.weight_banks * self.weight_rows + self.rows * self.activation_rows
        long = self.columns * self.sum_rows + 2 * self.registers * self.group_rows
        return (short * VALUE_BITS + long * FP32.bits) // 8


DXE_PRESETS = {
    "tiny": DxeConfig(4, 4, weight_rows=16, activation_rows=32, group_rows=16, registers=5),
    "demo": DxeConfig(16, 16, weight_rows=64, activation_rows=256, group_rows=64),
    "paper": DxeConfig(64, 64, weight_rows=256, activation_rows=1536, group_rows=512),
}
"""By name; ``paper`` has the paper's array, and fits its 1 MiB."""
