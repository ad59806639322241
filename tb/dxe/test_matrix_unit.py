"""Matrix unit between memories, against products in the order of k; each tile in its cycle."""

from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np
import pytest
import torch
from amaranth.hdl import Cat, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.dxe.systolic_array import matmul
from hw.config import VALUE_BITS
from hw.dxe.config import DxeConfig
from hw.dxe.floats import FP32
from hw.dxe.matrix_unit import MatrixUnit
from hw.dxe.row_banks import RowBanks
from hw.dxe.systolic_array import SystolicArray
from tb.dxe.lanes import DTYPES, Bits, bits, floats, joined, pulses, singles, split
from tb.runner import parameters, simulate
from tb.streams import Bench, Source, set_value

ROWS = 64
"""Of each memory."""
MEMORIES = ("weights", "activations", "sums")


class WithMemories(wiring.Component):
    """The unit and its memories, which are filled and looked at while it rests.

    Ports: ``fill_N``, ``address``, ``values``: write a row of memory N straight; ``look``: read the
    row of sums at ``address``, its elements on ``elements`` two cycles later.
    """

    def __init__(self, rows: int, columns: int, token_format: str):
        self.array = SystolicArray(rows, columns, token_format)
        self._config = config = DxeConfig(
            rows, columns, ROWS, ROWS, group_rows=ROWS, sum_groups=2, token_format=token_format
        )
        self.unit = MatrixUnit(config)
        super().__init__(
            {
                "tile": In(stream.Signature(self.unit.tile_layout)),
                "busy": Out(1),
                "told": Out(1),
                **{f"fill_{name}": In(1) for name in MEMORIES},
                "address": In((config.sum_rows - 1).bit_length()),
                "values": In(config.weight_banks * FP32.bits),
                "look": In(1),
                "elements": Out(columns * FP32.bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self.unit
        wiring.connect(m, wiring.flipped(self.tile), unit.tile)
        m.d.comb += [self.busy.eq(unit.busy), self.told.eq(unit.told)]
        straight, by_row, by_column = 0, SystolicArray.row_skew, SystolicArray.column_skew
        config = self._config
        m.submodules.weights = weights = RowBanks(
            config.weight_banks, ROWS, VALUE_BITS, readers=[straight], writers=[straight]
        )
        m.submodules.activations = activations = RowBanks(
            config.rows, ROWS, VALUE_BITS, readers=[by_row], writers=[straight]
        )
        m.submodules.sums = sums = RowBanks(
            config.columns, config.sum_rows, FP32.bits,
            readers=[by_column, straight], writers=[by_column, straight],
        )  # fmt: skip
        wiring.connect(m, unit.weights, weights.reads[0])
        wiring.connect(m, unit.activations, activations.reads[0])
        wiring.connect(m, unit.sums, sums.reads[0])
        wiring.connect(m, unit.totals, sums.writes[0])
        for name, writes in (
            ("weights", weights.writes[0]), ("activations", activations.writes[0]),
            ("sums", sums.writes[1]),
        ):  # fmt: skip
            m.d.comb += [
                writes.write.eq(getattr(self, f"fill_{name}")),
                writes.address.eq(self.address),
                Cat(writes.values).eq(self.values),
            ]
        looks = sums.reads[1]
        m.d.comb += [
            looks.read.eq(self.look),
            looks.address.eq(self.address),
            self.elements.eq(Cat(looks.elements)),
        ]
        return m


@dataclass
class Model:
    """What the memories hold, as bits."""

    weights: Bits
    activations: Bits
    sums: Bits

    def run(self, tile: dict[str, int]) -> None:
        """A tile, by the golden model."""
        given = parameters()
        form, count = given["token_format"], tile["rows"]
        loads = given["rows"] if tile["down"] else given["columns"]
        words = self.weights[tile["weights"] : tile["weights"] + loads]
        weights = words[:, : given["columns"]] if tile["down"] else words[:, : given["rows"]].T
        activations = self.activations[tile["activations"] : tile["activations"] + count]
        place = slice(tile["sums"], tile["sums"] + count)
        addend = singles(self.sums[place])
        if not tile["accumulate"]:
            addend = torch.zeros_like(addend)
        total = matmul(addend, floats(activations, form), floats(weights.copy(), form))
        self.sums[place] = bits(total)


def drawn(draw: np.random.Generator, form: str, banks: int) -> Bits:
    near = torch.from_numpy(draw.normal(0, 1, (ROWS, banks)))
    return bits(near.float() if form == "fp32" else near.to(DTYPES[form]))


async def fill(dut: Any, bench: Bench, name: str, content: Bits, width: int) -> None:
    for row in range(ROWS):
        dut.address.value = row
        set_value(dut.values, joined(content[row], width))
        getattr(dut, f"fill_{name}").value = 1
        await bench.cycles()
    getattr(dut, f"fill_{name}").value = 0


async def look(dut: Any, bench: Bench) -> Bits:
    found = []
    columns = parameters()["columns"]
    for row in range(ROWS):
        dut.address.value = row
        dut.look.value = 1
        await bench.cycles(2)
        found.append(split(dut.elements.value, columns, FP32.bits))
    dut.look.value = 0
    return np.stack(found)


def random_tile(draw: np.random.Generator, rows: int, columns: int) -> dict[str, int]:
    count = int(draw.choice([1, 2, int(draw.integers(1, 12)), 40]))
    down = int(draw.integers(0, 2))
    return {
        "weights": int(draw.integers(0, ROWS - max(rows, columns) + 1)),
        "down": down,
        "activations": int(draw.integers(0, ROWS - count + 1)),
        "rows": count,
        "sums": int(draw.choice([0, ROWS - 24])) if count <= 24 else 0,
        "accumulate": int(draw.integers(0, 4) > 0),
        "tells": int(draw.integers(0, 2)),
    }


@cocotb.test()
async def tiles_at_their_cycles(dut: Any) -> None:
    """Tiles that take up what those before have just written, back to back and with pauses."""
    given = parameters()
    rows, columns, form = given["rows"], given["columns"], given["token_format"]
    draw = np.random.default_rng(rows)
    for name in (*(f"fill_{name}" for name in MEMORIES), "look"):
        getattr(dut, name).value = 0
    bench = Bench(dut)
    unit = WithMemories(rows, columns, form)
    told: list[int] = []
    cocotb.start_soon(pulses(bench, dut.told, told))
    for stall in (0.0, 0.9):
        source = Source(bench, "tile", unit.unit.tile_layout, stall=stall, seed=1)
        await bench.reset()
        told.clear()
        model = Model(
            drawn(draw, form, max(rows, columns)), drawn(draw, form, rows),
            drawn(draw, "fp32", columns),
        )  # fmt: skip
        for name, width in (
            ("weights", VALUE_BITS), ("activations", VALUE_BITS), ("sums", FP32.bits),
        ):  # fmt: skip
            await fill(dut, bench, name, getattr(model, name), width)
        tiles = [random_tile(draw, rows, columns) for _ in range(40)]
        source.put(tiles)
        for tile in tiles:
            model.run(tile)
        while len(source.sent) < len(tiles) or dut.busy.value:
            await bench.cycles()
        found = await look(dut, bench)
        assert (found == model.sums).all(), np.argwhere(found != model.sums)[:5]
        starts = [cycle for cycle, _ in source.sent]
        for place in range(1, len(tiles)):
            loads = rows if tiles[place]["down"] else columns
            least = unit.array.tile_cycles(tiles[place - 1]["rows"], loads)
            taken = starts[place] - starts[place - 1]
            assert taken == least if stall == 0 else taken >= least
        ended = [
            start + tile["rows"] - 1 + unit.unit.latency
            for start, tile in zip(starts, tiles, strict=True)
            if tile["tells"]
        ]
        assert told == ended
        source.stop()


@pytest.mark.parametrize(
    ("rows", "columns", "token_format"),
    [(4, 4, "fp16"), pytest.param(3, 4, "bf16", marks=pytest.mark.slow)],
)
def test_matrix_unit(rows: int, columns: int, token_format: str) -> None:
    simulate(
        WithMemories(rows, columns, token_format), __name__, f"matrix_unit_{rows}x{columns}",
        given={"rows": rows, "columns": columns, "token_format": token_format},
    )  # fmt: skip
