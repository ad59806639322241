"""Vector unit between memories, against the golden model's passes; softmax as a program of them."""

import math
from typing import Any

import cocotb
import numpy as np
import pytest
import torch

from golden.dxe.softmax import factor_of, softmax
from golden.dxe.vector_unit import Pass
from tb.dxe.lanes import pulses
from tb.dxe.test_vector_lane import FUNCTIONS
from tb.dxe.vector_rig import OPERANDS, REDUCES, REGISTERS, ROWS, Rig, WithMemories
from tb.runner import parameters, simulate


def random_pass(rig: Rig) -> Pass:
    """Any pass that its docstring allows."""
    draw = rig.draw
    rows = int(draw.choice([1, ROWS, int(draw.integers(1, ROWS + 1))]))
    scalars = bool(draw.integers(0, 3) == 0)
    kinds = [kind for kind in OPERANDS if not (scalars and kind == "other")]
    a, b = (str(draw.choice(kinds)) for _ in range(2))
    return Pass(
        rows=rows,
        columns=int(draw.integers(1, rig.lanes + 1)),
        x=int(draw.integers(0, REGISTERS if scalars else ROWS - rows + 1)),
        scalars=scalars,
        a=a,
        b=b,
        other=int(draw.integers(0, ROWS - rows + 1)),
        constant=float(np.float32(draw.normal())),
        a_register=int(draw.integers(REGISTERS)),
        b_register=int(draw.integers(REGISTERS)),
        take_max=bool(draw.integers(0, 2)),
        function=str(draw.choice(list(FUNCTIONS))),
        reduce="none" if scalars else str(draw.choice(list(REDUCES))),
        result=int(draw.integers(REGISTERS)),
        to_sums=not scalars and bool(draw.integers(0, 2)),
        to_shorts=not scalars and bool(draw.integers(0, 2)),
        to=int(draw.integers(0, ROWS - rows + 1)),
    )


@cocotb.test()
async def any_passes(dut: Any) -> None:
    """Passes at random, each of which waits for the one before."""
    rig = Rig(dut, np.random.default_rng(5))
    await rig.begin()
    await rig.check()
    for _ in range(12):
        await rig.run([random_pass(rig) for _ in range(8)])
        await rig.check()
    await rig.show_scalars()


@cocotb.test()
async def a_row_a_cycle(dut: Any) -> None:
    """Passes that do not wait follow each other without a gap, and rows are as late as declared."""
    rig = Rig(dut, np.random.default_rng(6))
    await rig.begin()
    unit = WithMemories(rig.lanes, parameters()["token_format"]).unit
    passes = [
        Pass(ROWS, rig.lanes, a="constant", constant=1.5, reduce="max", result=1),
        Pass(ROWS, rig.lanes, a="constant", constant=0.5, to_shorts=True),
        Pass(ROWS, rig.lanes, reduce="sum", result=2, function="exp2"),
    ]
    start, told = len(rig.source.sent), list[int]()
    cocotb.start_soon(pulses(rig.bench, dut.told, told))
    began = rig.bench.cycle
    await rig.run(passes, waits=False)
    taken = [cycle for cycle, _ in rig.source.sent[start:]]
    assert np.diff(taken).tolist() == [ROWS, ROWS]
    assert told == [cycle + unit.told_latency for cycle in taken]
    least = 3 * ROWS + unit.latency
    assert least <= rig.bench.cycle - began <= least + 4 * rig.lanes + 12
    await rig.check()
    await rig.show_scalars()


@cocotb.test()
async def softmax_in_passes(dut: Any) -> None:
    """Tiles of scores through the passes that the definition names, to the golden softmax."""
    rig = Rig(dut, np.random.default_rng(7))
    await rig.begin()
    scores = rig.model.sums.clone()
    factor = factor_of(0.5).item()
    largest, total, shrink, found, before = range(REGISTERS)
    everything: dict[str, Any] = {"rows": 8, "scalars": True}
    await rig.run([
        Pass(**everything, x=largest, b="constant", constant=-math.inf, result=largest),
        Pass(**everything, x=total, a="constant", constant=0.0, result=total),
    ])  # fmt: skip
    columns = [rig.lanes, rig.lanes, rig.lanes - 1]
    for tile, count in enumerate(columns):
        scaled: dict[str, Any] = {
            "rows": 8, "columns": count, "x": 8 * tile, "a": "constant", "constant": factor,
        }  # fmt: skip
        await rig.run([
            Pass(**scaled, reduce="max", result=found),
            Pass(**everything, x=largest, result=before),
            Pass(**everything, x=largest, b="scalar", b_register=found, take_max=True,
                  result=largest),
            Pass(**everything, x=before, b="negated", b_register=largest, function="exp2",
                  result=shrink),
            Pass(**scaled, b="negated", b_register=largest, function="exp2", reduce="sum",
                  result=found),
            Pass(**everything, x=total, a="scalar", b_register=shrink, result=total),
            Pass(**everything, x=total, b="scalar", b_register=found, result=total),
        ])  # fmt: skip
    await rig.run([Pass(**everything, x=total, function="reciprocal", result=total)])
    for tile, count in enumerate(columns):
        place: dict[str, Any] = {"rows": 8, "columns": count, "x": 8 * tile, "to": 8 * tile}
        await rig.run([
            Pass(**place, a="constant", constant=factor, b="negated", b_register=largest,
                  function="exp2", to_sums=True),
            Pass(**place, a="scalar", a_register=total, to_sums=True),
        ])  # fmt: skip
    await rig.check()
    rows = torch.cat([scores[8 * i : 8 * i + 8, :count] for i, count in enumerate(columns)], dim=1)
    exact = softmax(rows, 0.5, rig.lanes)
    made = torch.cat(
        [rig.model.sums[8 * i : 8 * i + 8, :count] for i, count in enumerate(columns)], dim=1
    )
    assert torch.equal(made, exact)


@pytest.mark.parametrize(("lanes", "token_format"), [(4, "fp16")])
def test_vector_unit(lanes: int, token_format: str) -> None:
    simulate(
        WithMemories(lanes, token_format), __name__, f"vector_unit_{lanes}_{token_format}",
        given={"lanes": lanes, "token_format": token_format},
    )  # fmt: skip
