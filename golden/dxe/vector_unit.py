"""Vector unit: passes over rows of sums, or over what is kept of each row.

Source: docs/dxe.md, 'The vector unit'.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from golden.ambient import in_plain_mode
from golden.dxe.row_reduce import row_reduce
from golden.dxe.vector_lane import lane, shortened


@dataclass(frozen=True)
class Pass:
    """What is done to each row, or to the scalars of rows.

    Attributes:
        rows: how many.
        columns: lanes that count, of a pass over rows.
        x: the first row of sums, or the register of scalars.
        scalars: whether it is a pass over scalars.
        a: ``none``, ``constant``, ``scalar``, ``negated``, ``same`` (x itself) or ``other``.
        b: likewise.
        other: the first of the other rows.
        constant: a float32.
        a_register, b_register: of scalars; a pass over scalars has one of them, ``b_register``.
        take_max, function: as `golden.dxe.vector_lane.lane` takes them.
        reduce: ``none``, ``sum`` or ``max`` of a row, to the register ``result``.
        result: the register of scalars that is written.
        to_sums, to_shorts: whether values are written there.
        to: the first row that is written.
    """

    rows: int
    columns: int = 0
    x: int = 0
    scalars: bool = False
    a: str = "none"
    b: str = "none"
    other: int = 0
    constant: float = 0.0
    a_register: int = 0
    b_register: int = 0
    take_max: bool = False
    function: str = "none"
    reduce: str = "none"
    result: int = 0
    to_sums: bool = False
    to_shorts: bool = False
    to: int = 0


@dataclass
class Memories:
    """What a vector unit works on; passes change it.

    Attributes:
        sums: (rows, lanes), float32.
        others: (rows, lanes), float32, which are only read.
        shorts: (rows, lanes), float16 or bfloat16.
        scalars: (registers, rows), float32.
    """

    sums: Tensor
    others: Tensor
    shorts: Tensor
    scalars: Tensor

    @in_plain_mode
    def run(self, work: Pass) -> None:
        """Make a pass."""
        if work.scalars:
            self._over_scalars(work)
        else:
            self._over_rows(work)

    def _over_rows(self, work: Pass) -> None:
        rows, lanes = work.rows, self.sums.shape[1]
        x = self.sums[work.x : work.x + rows]
        other = self.others[work.other : work.other + rows]
        found = lane(
            x,
            _operand(work.a, 1.0, work, self.scalars[work.a_register, :rows, None], x, other),
            _operand(work.b, -0.0, work, self.scalars[work.b_register, :rows, None], x, other),
            take_max=work.take_max,
            function=work.function,
        )
        counts = torch.arange(lanes) < work.columns
        if work.reduce != "none":
            self.scalars[work.result, :rows] = row_reduce(
                found[:, : work.columns], lanes, take_max=work.reduce == "max"
            )
        if work.to_sums:
            self.sums[work.to : work.to + rows] = torch.where(counts, found, 0.0)
        if work.to_shorts:
            short = shortened(found, self.shorts.dtype)
            self.shorts[work.to : work.to + rows] = torch.where(counts, short, 0.0)

    def _over_scalars(self, work: Pass) -> None:
        lanes = self.sums.shape[1]
        rows = -(-work.rows // lanes) * lanes
        x, scalar = self.scalars[work.x, :rows], self.scalars[work.b_register, :rows]
        self.scalars[work.result, :rows] = lane(
            x,
            _operand(work.a, 1.0, work, scalar, x, x),
            _operand(work.b, -0.0, work, scalar, x, x),
            take_max=work.take_max,
            function=work.function,
        )


def _operand(
    kind: str, nothing: float, work: Pass, scalar: Tensor, same: Tensor, other: Tensor
) -> Tensor:
    return {
        "none": torch.tensor(nothing),
        "constant": torch.tensor(work.constant),
        "scalar": scalar,
        "negated": -scalar,
        "same": same,
        "other": other,
    }[kind].to(torch.float32)
