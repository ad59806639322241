"""Systolic array against float32 sums in order: tiles back to back, ragged, from either side."""

from dataclasses import dataclass, field
from typing import Any

import cocotb
import numpy as np
import pytest
import torch
from amaranth.hdl import Cat, Const, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from golden.dxe.systolic_array import matmul
from hw.config import VALUE_BITS
from hw.dxe.floats import FP32
from hw.dxe.processing_element import Load
from hw.dxe.systolic_array import SystolicArray
from tb.dxe.lanes import DTYPES, Bits, bits, floats, joined, split
from tb.runner import parameters, simulate
from tb.streams import Bench, set_value

NONE, DOWN, RIGHT = (Const.cast(load).value for load in (Load.NONE, Load.DOWN, Load.RIGHT))


class Joined(wiring.Component):
    """The array with a port a side."""

    def __init__(self, rows: int, columns: int, token_format: str):
        self.array = SystolicArray(rows, columns, token_format)
        super().__init__(
            {
                "activation": In(rows * VALUE_BITS),
                "swap": In(rows),
                "load": In(Load),
                "weight": In(max(rows, columns) * VALUE_BITS),
                "addend": In(columns * FP32.bits),
                "total": Out(columns * FP32.bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.array = array = self.array
        for name in ("activation", "swap", "weight", "addend"):
            m.d.comb += Cat(getattr(array, name)).eq(getattr(self, name))
        m.d.comb += [array.load.eq(self.load), self.total.eq(Cat(array.total))]
        return m


@dataclass(frozen=True)
class Tile:
    """What is multiplied: m rows of k activations, by k rows of n weights."""

    m: int
    k: int
    n: int
    down: bool = True
    """Whether its weights enter from above, or else from the left."""
    pause: int = 0
    """Cycles between two rows of activations in which nothing is sent."""

    @property
    def cycles(self) -> int:
        return self.m + (self.m - 1) * self.pause


@dataclass
class Timeline:
    """All that enters and leaves, by cycle; where nothing is due, inputs are anything."""

    array: SystolicArray
    cycles: int
    draw: np.random.Generator
    inputs: dict[str, Bits] = field(init=False)
    due: Bits = field(init=False)
    checked: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        rows, columns = self.array.rows, self.array.columns
        most = max(rows, columns)
        self.inputs = {
            "activation": self.draw.integers(0, 1 << VALUE_BITS, (self.cycles, rows)),
            "swap": np.zeros((self.cycles, rows), np.int64),
            "load": np.full((self.cycles, 1), NONE, np.int64),
            "weight": self.draw.integers(0, 1 << VALUE_BITS, (self.cycles, most)),
            "addend": self.draw.integers(0, 1 << FP32.bits, (self.cycles, columns)),
        }
        self.due = np.zeros((self.cycles, columns), np.int64)
        self.checked = np.zeros((self.cycles, columns), bool)

    def place(self, start: int, tile: Tile, form: str, special: bool) -> None:
        """A tile whose first row enters at ``start``, its weights just in time."""
        array = self.array
        a = np.zeros((tile.m, array.rows), np.int64)
        a[:, : tile.k] = values(self.draw, (tile.m, tile.k), form, special)
        w = np.zeros((array.rows, array.columns), np.int64)
        w[: tile.k, : tile.n] = values(self.draw, (tile.k, tile.n), form, special)
        addend = self.draw.normal(0, 4, (tile.m, array.columns)).astype(np.float32)
        addend[:, ::3] = 0
        total = matmul(torch.from_numpy(addend), floats(a, form), floats(w, form))

        words = w[::-1] if tile.down else w.T[::-1]
        first = start - array.load_to_swap - len(words) + 1
        self.inputs["load"][first : first + len(words)] = DOWN if tile.down else RIGHT
        self.inputs["weight"][first : first + len(words), : words.shape[1]] = words
        times = start + np.arange(tile.m) * (1 + tile.pause)
        for r in range(array.rows):
            self.inputs["activation"][times + r * array.row_skew, r] = a[:, r]
            self.inputs["swap"][start + r * array.row_skew, r] = 1
        for c in range(array.columns):
            late = c * array.column_skew
            self.inputs["addend"][times + array.lead + late, c] = bits(
                torch.from_numpy(addend[:, c].copy())
            )
            self.due[times + array.latency + late, c] = bits(total[:, c].contiguous())
            self.checked[times + array.latency + late, c] = True

    async def run(self, dut: Any) -> int:
        """Play it; how many totals are wrong."""
        wide = {"activation": VALUE_BITS, "swap": 1, "weight": VALUE_BITS, "addend": FP32.bits}
        bench = Bench(dut)
        await bench.reset()
        wrong = 0
        for cycle in range(self.cycles):
            for name, each in wide.items():
                set_value(getattr(dut, name), joined(self.inputs[name][cycle], each))
            dut.load.value = int(self.inputs["load"][cycle, 0])
            await bench.cycles()
            total = split(dut.total.value, self.array.columns, FP32.bits)
            wrong += int((total != self.due[cycle])[self.checked[cycle]].sum())
        return wrong


def values(draw: np.random.Generator, shape: tuple[int, int], form: str, special: bool) -> Bits:
    """Bits of floats near one; or of any, with infinities and NaN rare."""
    if not special:
        near = torch.from_numpy(draw.normal(0, 1, shape)).to(DTYPES[form])
        return near.view(torch.int16).numpy().astype(np.int64) & 0xFFFF
    anything = draw.integers(0, 1 << VALUE_BITS, shape)
    kept = floats(anything, form).isfinite().numpy() | (draw.integers(0, 256, shape) == 0)
    return np.where(kept, anything, 0)


def timeline(tiles: list[Tile], special: bool, early: int = 0) -> Timeline:
    """Tiles as close as the array takes them, less ``early`` cycles."""
    given = parameters()
    array = SystolicArray(given["rows"], given["columns"], given["token_format"])
    loads = [array.rows if tile.down else array.columns for tile in tiles]
    starts = [loads[0] - 1 + array.load_to_swap]
    for tile, following in zip(tiles, loads[1:], strict=False):
        starts.append(starts[-1] + array.tile_cycles(tile.cycles, following) - early)
    end = starts[-1] + tiles[-1].cycles + array.latency + array.columns * array.column_skew
    played = Timeline(array, end, np.random.default_rng(len(tiles)))
    for start, tile in zip(starts, tiles, strict=True):
        played.place(start, tile, given["token_format"], special)
    assert played.checked.any(axis=1).sum() >= sum(tile.m for tile in tiles)
    return played


def shapes() -> list[Tile]:
    """One row, one k, one column, full ones, ragged ones; short, long and halting streams."""
    given = parameters()
    rows, columns = given["rows"], given["columns"]
    long = 4 * (rows + columns) + 3
    return [
        Tile(1, rows, columns),
        Tile(1, 1, 1, down=False),
        Tile(long, 1, columns),
        Tile(long, rows, columns, down=False),
        Tile(long + 1, rows - 1, columns - 1),
        Tile(rows, rows // 2, columns // 2, down=False, pause=1),
        Tile(long, rows, 1, pause=2),
        Tile(2, rows, columns, down=False),
        Tile(3, rows, columns),
    ]


@cocotb.test()
async def tiles_back_to_back(dut: Any) -> None:
    assert await timeline(shapes(), special=False).run(dut) == 0


@cocotb.test()
async def any_values(dut: Any) -> None:
    """Subnormals, sums beyond float32, a few infinities and NaN."""
    assert await timeline(shapes(), special=True).run(dut) == 0


@cocotb.test()
async def one_cycle_less_is_too_early(dut: Any) -> None:
    """Where loading limits, the declared cycles of a tile are the least that are right."""
    given = parameters()
    pair = [Tile(1, given["rows"], given["columns"])] * 2
    assert await timeline(pair, special=False).run(dut) == 0
    assert await timeline(pair, special=False, early=1).run(dut) > 0


@pytest.mark.parametrize(
    ("rows", "columns", "token_format"),
    [
        (4, 4, "fp16"),
        (6, 3, "bf16"),
        pytest.param(8, 8, "fp16", marks=pytest.mark.slow),
        pytest.param(4, 4, "bf16", marks=pytest.mark.slow),
        pytest.param(16, 16, "fp16", marks=pytest.mark.slow),
    ],
)
def test_systolic_array(rows: int, columns: int, token_format: str) -> None:
    simulate(
        Joined(rows, columns, token_format), __name__,
        f"systolic_array_{rows}x{columns}_{token_format}",
        given={"rows": rows, "columns": columns, "token_format": token_format},
    )  # fmt: skip


def test_a_tile_for_many_rows_keeps_the_array_busy() -> None:
    array = SystolicArray(8, 4, "fp16")
    enough = 4 * (8 - 1) + 4 + 8 - 1
    assert array.tile_cycles(enough, loads=8) == enough
    assert array.tile_cycles(enough - 1, loads=8) == enough
