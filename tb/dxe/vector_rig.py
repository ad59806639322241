"""The vector unit between memories, and what these are to hold."""

from typing import Any

import numpy as np
import torch
from amaranth.hdl import Cat, Const, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.dxe.vector_unit import Memories, Pass
from hw.config import VALUE_BITS
from hw.dxe.config import DxeConfig
from hw.dxe.floats import FP32
from hw.dxe.row_banks import RowBanks
from hw.dxe.vector_unit import Operand, Reduce, VectorUnit
from tb.dxe.lanes import DTYPES, Bits, bits, joined, split
from tb.dxe.test_vector_lane import FUNCTIONS
from tb.runner import parameters
from tb.streams import Bench, Source, set_value

ROWS, REGISTERS = 32, 5
OPERANDS = {
    "none": Operand.NONE, "constant": Operand.CONSTANT, "scalar": Operand.SCALAR,
    "negated": Operand.NEGATED, "same": Operand.SAME, "other": Operand.OTHER,
}  # fmt: skip
REDUCES = {"none": Reduce.NONE, "sum": Reduce.SUM, "max": Reduce.MAX}


class WithMemories(wiring.Component):
    """The unit and its memories.

    Ports: ``fill``, ``address``, ``values``: write a row of sums, or with ``fill_others`` of the
    other rows; ``look``: read the rows of sums
    and of short floats at ``address``, two cycles later on ``elements`` and ``shorts``.
    """

    def __init__(self, lanes: int, token_format: str):
        self._width = lanes
        self._config = config = DxeConfig(
            lanes, lanes, lanes, ROWS, ROWS, sum_groups=2, registers=REGISTERS,
            token_format=token_format,
        )  # fmt: skip
        self.unit = VectorUnit(config)
        super().__init__(
            {
                "work": In(stream.Signature(self.unit.pass_layout)),
                "busy": Out(1),
                "told": Out(1),
                "fill": In(1),
                "fill_others": In(1),
                "look": In(1),
                "address": In((config.sum_rows - 1).bit_length()),
                "values": In(lanes * FP32.bits),
                "elements": Out(lanes * FP32.bits),
                "shorts": Out(lanes * VALUE_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        m.submodules.unit = unit = self.unit
        m.submodules.sums = sums = RowBanks(
            self._width, self._config.sum_rows, FP32.bits, readers=[0, 0], writers=[0, 0]
        )
        m.submodules.shorts = shorts = RowBanks(
            self._width, ROWS, VALUE_BITS, readers=[0], writers=[0]
        )
        m.submodules.others = others = RowBanks(
            self._width, self._config.sum_rows, FP32.bits, readers=[0], writers=[0]
        )
        wiring.connect(m, wiring.flipped(self.work), unit.work)
        wiring.connect(m, unit.others, others.reads[0])
        wiring.connect(m, unit.sums, sums.reads[0])
        wiring.connect(m, unit.values, sums.writes[0])
        wiring.connect(m, unit.shorts, shorts.writes[0])
        looks, fills = (sums.reads[1], shorts.reads[0]), (sums.writes[1], others.writes[0])
        m.d.comb += [
            self.busy.eq(unit.busy),
            self.told.eq(unit.told),
            fills[0].write.eq(self.fill),
            fills[1].write.eq(self.fill_others),
            *(each.address.eq(self.address) for each in fills),
            *(look.read.eq(self.look) for look in looks),
            *(look.address.eq(self.address) for look in looks),
        ]
        m.d.comb += [
            *(Cat(each.values).eq(self.values) for each in fills),
            self.elements.eq(Cat(looks[0].elements)),
            self.shorts.eq(Cat(looks[1].elements)),
        ]
        return m


class Rig:
    """The unit under test, and what its memories are to hold."""

    def __init__(self, dut: Any, draw: np.random.Generator):
        given = parameters()
        self.lanes, form = given["lanes"], given["token_format"]
        self.dut, self.bench, self.draw = dut, Bench(dut), draw
        self.layout = WithMemories(self.lanes, form).unit.pass_layout
        sums, others = torch.from_numpy(draw.normal(0, 3, (2, ROWS, self.lanes))).float()
        self.model = Memories(
            sums.clone(),
            others,
            torch.zeros(ROWS, self.lanes, dtype=DTYPES[form]),
            torch.zeros(REGISTERS, ROWS),
        )

    async def begin(self) -> None:
        """Reset, and write every row of every memory once."""
        self.dut.fill.value = self.dut.fill_others.value = self.dut.look.value = 0
        self.source = Source(self.bench, "work", self.layout)
        await self.bench.reset()
        for fill, rows in (
            (self.dut.fill, self.model.sums), (self.dut.fill_others, self.model.others),
        ):  # fmt: skip
            fill.value = 1
            for row in range(ROWS):
                self.dut.address.value = row
                set_value(self.dut.values, joined(bits(rows[row].contiguous()), FP32.bits))
                await self.bench.cycles()
            fill.value = 0
        first = [Pass(ROWS, self.lanes, reduce="sum", result=each) for each in range(REGISTERS)]
        first[0] = Pass(ROWS, self.lanes, reduce="max", to_shorts=True)
        await self.run(first, waits=False)

    async def run(self, passes: list[Pass], *, waits: bool = True) -> None:
        """Passes, each of which waits for those before, or none."""
        for work in passes:
            self.source.put([self.coded(work, waits)])
            self.model.run(work)
        ended = len(self.source.sent) + len(passes)
        while len(self.source.sent) < ended or self.dut.busy.value:
            await self.bench.cycles()

    def coded(self, work: Pass, waits: bool) -> dict[str, Any]:
        """As the stream takes it."""
        return {
            "waits": int(waits), "scalars": int(work.scalars), "rows": work.rows,
            "columns": work.columns, "x": work.x,
            "a": Const.cast(OPERANDS[work.a]).value, "b": Const.cast(OPERANDS[work.b]).value,
            "other": work.other,
            "constant": int(bits(torch.tensor([work.constant], dtype=torch.float32))[0]),
            "a_register": work.a_register, "b_register": work.b_register,
            "operation": {
                "take_max": int(work.take_max),
                "function": Const.cast(FUNCTIONS[work.function]).value,
            },
            "reduce": Const.cast(REDUCES[work.reduce]).value, "result": work.result,
            "to_sums": int(work.to_sums), "to_shorts": int(work.to_shorts), "to": work.to,
            "tells": 1,
        }  # fmt: skip

    async def check(self) -> None:
        """Compare all rows; scalars show in what passes make of them."""
        found: list[list[Bits]] = [[], []]
        self.dut.look.value = 1
        for row in range(ROWS):
            self.dut.address.value = row
            await self.bench.cycles(2)
            found[0].append(split(self.dut.elements.value, self.lanes, FP32.bits))
            found[1].append(split(self.dut.shorts.value, self.lanes, VALUE_BITS))
        self.dut.look.value = 0
        for rows, want in zip(found, (self.model.sums, self.model.shorts), strict=True):
            wrong = np.argwhere(np.stack(rows) != bits(want))
            assert not len(wrong), f"{len(wrong)} values, first {wrong[0]}"

    async def show_scalars(self) -> None:
        """Add each register to rows, so that `check` sees it."""
        for number in range(REGISTERS):
            shown = Pass(
                ROWS, self.lanes, a="constant", b="scalar", b_register=number, to_sums=True
            )
            await self.run([shown], waits=False)
            await self.check()
