import numpy as np
import pytest
import torch

from golden.dxe.row_reduce import row_reduce


def by_halves(values: list[np.float32]) -> np.float32:
    """The same tree, from its root."""
    if len(values) == 1:
        return values[0]
    half = len(values) // 2
    return np.float32(by_halves(values[:half]) + by_halves(values[half:]))


@pytest.mark.parametrize("lanes", [1, 2, 8, 64])
def test_sums_of_neighbours_and_the_largest(lanes: int) -> None:
    values = torch.randn(50, lanes, generator=torch.Generator().manual_seed(lanes))
    sums, largest = (row_reduce(values, lanes, take_max=each) for each in (False, True))
    for row in range(50):
        assert sums[row].item() == by_halves(list(values[row].numpy()))
    assert torch.equal(largest, values.amax(-1))


def test_lanes_beyond_the_values_do_not_count() -> None:
    values = -torch.ones(2, 5)
    assert row_reduce(values, 8, take_max=False).tolist() == [-5, -5]
    assert row_reduce(values, 8, take_max=True).tolist() == [-1, -1]
