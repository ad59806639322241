import pytest
import torch

from golden.dxe.systolic_array import matmul


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sums_run_over_k_one_by_one(dtype: torch.dtype) -> None:
    draw = torch.Generator().manual_seed(1)
    a = torch.randn(3, 17, generator=draw).to(dtype)
    w = torch.randn(17, 2, generator=draw).to(dtype)
    start = torch.randn(3, 2, generator=draw)
    want = start.clone()
    for row in range(3):
        for column in range(2):
            for k in range(17):
                want[row, column] += a[row, k].float() * w[k, column].float()
    assert torch.equal(matmul(start, a, w), want)


def test_the_order_of_the_sum_counts() -> None:
    a = torch.tensor([[1.0, 2.0**-12, 2.0**-12]], dtype=torch.float16)
    w = torch.tensor([[1.0], [2.0**-12], [2.0**-12]], dtype=torch.float16)
    zero = torch.zeros(1, 1)
    assert matmul(zero, a, w).item() == 1
    assert matmul(zero, a.flip(1), w.flip(0)).item() == 1 + 2.0**-23


def test_its_error_is_that_of_float32_sums() -> None:
    """At most k roundings of a sum no larger than the sum of the sizes."""
    draw = torch.Generator().manual_seed(2)
    a = torch.randn(20, 500, generator=draw).half()
    w = torch.randn(500, 20, generator=draw).half()
    error = matmul(torch.zeros(20, 20), a, w).double() - a.double() @ w.double()
    bound = 500 * 2.0**-24 * (a.double().abs() @ w.double().abs())
    assert (error.abs() <= bound).all()
