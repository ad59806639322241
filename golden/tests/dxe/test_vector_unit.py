from typing import Any

import torch

from golden.dxe.vector_unit import Memories, Pass

LANES = 16


def memories(rows: int) -> Memories:
    draw = torch.Generator().manual_seed(rows)
    sums, others = torch.randn(2, rows, LANES, generator=draw)
    return Memories(
        sums.clone(), others, torch.zeros(rows, LANES, dtype=torch.float16), torch.zeros(4, rows)
    )


def test_layer_norm_is_a_program_of_passes() -> None:
    """Of 13 columns, with a weight and a shift a column that lie in other rows."""
    rows, columns = 32, 13
    held = memories(rows)
    held.others[:] = held.others[0]
    x, weight = held.sums[:, :columns].clone(), held.others[0, :columns].clone()
    every: dict[str, Any] = {"rows": rows, "columns": columns}
    scalars: dict[str, Any] = {"rows": rows, "scalars": True}
    for work in (
        Pass(**every, reduce="sum", result=0),
        Pass(**scalars, x=0, a="constant", constant=1 / columns, result=0),
        Pass(**every, b="negated", b_register=0, to_sums=True),
        Pass(**every, a="same", reduce="sum", result=1),
        Pass(**scalars, x=1, a="constant", constant=1 / columns, result=1),
        Pass(**scalars, x=1, b="constant", constant=1e-5, function="sqrt", result=1),
        Pass(**scalars, x=1, function="reciprocal", result=1),
        Pass(**every, a="scalar", a_register=1, to_sums=True),
        Pass(**every, a="other", b="other", to_sums=True),
    ):
        held.run(work)
    exact = torch.nn.functional.layer_norm(x.double(), (columns,), weight.double(), weight.double())
    assert (held.sums[:, :columns] - exact).abs().max() < 2e-6
    assert (held.sums[:, columns:] == 0).all()


def test_residuals_are_added_and_shortened() -> None:
    held = memories(8)
    want = (held.sums[2:7] + held.others[1:6]).half()
    held.run(Pass(rows=5, columns=LANES, x=2, b="other", other=1, to_shorts=True, to=3))
    assert torch.equal(held.shorts[3:8], want)
    assert (held.shorts[:3] == 0).all()


def test_gelu_is_a_program_of_passes() -> None:
    """x / (1 + e^-2u), u the cubic of GELU by tanh; products of rows lie among the other rows."""
    held = memories(8)
    x = held.sums.clone()
    every: dict[str, Any] = {"rows": 8, "columns": LANES}
    slope = -2 * (2 / torch.pi) ** 0.5 * 1.4426950408889634
    held.run(Pass(**every, a="same", to_sums=True))
    held.run(Pass(**every, a="constant", constant=0.044715 * slope, to_sums=True))
    held.run(Pass(**every, b="constant", constant=slope, to_sums=True))
    held.others = x
    held.run(Pass(**every, a="other", function="exp2", to_sums=True))
    held.run(Pass(**every, b="constant", constant=1.0, function="reciprocal", to_sums=True))
    held.run(Pass(**every, a="other", to_sums=True))
    exact = torch.nn.functional.gelu(x.double(), approximate="tanh")
    assert (held.sums - exact).abs().max() < 2e-6
