from itertools import product
from typing import Any

import pytest
import torch
from torch import Generator

from golden.bsm import Grid, block_of, draw_dst, match_bsm
from golden.tests.cases import random_floats


def test_blocks_by_hand() -> None:
    # One frame of 3 x 4 tokens in blocks of 2 x 2: the last row's blocks are half as large.
    assert block_of((1, 3, 4), (2, 2, 2)).tolist() == [0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize(
    ("grid", "block"), [((4, 6, 8), (2, 2, 2)), ((5, 3, 7), (2, 2, 3)), ((1, 1, 2), (9, 9, 1))]
)
def test_one_dst_in_each_block(grid: Grid, block: Grid) -> None:
    dst = draw_dst(grid, block, Generator().manual_seed(3)).tolist()
    axes = [range(length) for length in grid]
    of = [tuple(c // b for c, b in zip(at, block, strict=True)) for at in product(*axes)]
    assert [of[i] for i in dst] == sorted(set(of))


def test_every_token_of_a_block_is_equally_likely() -> None:
    generator = Generator().manual_seed(4)
    counts = torch.zeros(16)
    for _ in range(2000):
        counts[draw_dst((2, 2, 4), (2, 2, 2), generator)] += 1
    deviation = (2000 / 8 * 7 / 8) ** 0.5
    assert (counts - 2000 / 8).abs().max() < 4.5 * deviation


def test_closest_pairs_by_brute_force() -> None:
    tokens = random_floats(96, 8, 5)
    got = match_bsm(tokens, (4, 4, 6), 30, generator=Generator().manual_seed(6))
    dst = draw_dst((4, 4, 6), (2, 2, 2), Generator().manual_seed(6))
    squared = torch.cdist(tokens.double(), tokens.double()).square()
    least, slot = squared[:, dst].min(dim=1)
    src = [i for i in range(96) if i not in dst.tolist()]
    want = sorted(src, key=lambda i: (float(least[i]), i))[:30]
    assert got.src.tolist() == want
    assert got.dst.tolist() == dst[slot[want]].tolist()
    torch.testing.assert_close(got.loss.double(), least[want], rtol=1e-6, atol=1e-9)
    assert got.medoids.tolist() == dst.tolist()
    assert got.iterations == 1
    assert got.loss_history == pytest.approx([float(least[src].sum())])


def test_generator_alone_decides_and_global_state_is_untouched() -> None:
    tokens = random_floats(64, 4, 7)
    state = torch.get_rng_state()
    runs = [
        match_bsm(tokens, (4, 4, 4), 20, generator=Generator().manual_seed(seed)).medoids.tolist()
        for seed in (1, 1, 2)
    ]
    assert runs[0] == runs[1] != runs[2]
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("grid", "reduce", "options", "message"),
    [
        ((4, 4, 3), 0, {}, r"grid \(4, 4, 3\) holds 48 tokens; it must hold 64\."),
        ((4, 4, 4), 57, {}, r"reduce is 57; it must be at most .* 64 - 8 = 56\."),
        ((4, 4, 4), -1, {}, "reduce is -1; it must be at least 0"),
        ((4, 4, 4), 0, {"block": (0, 2, 2)}, "must have sizes of at least 1"),
        ((4, 4, 4), 0, {"block": (1, 1, 1)}, "num_dst is 64; it must be less than"),
    ],
)
def test_bad_arguments_are_refused(
    grid: Grid, reduce: int, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        match_bsm(torch.zeros(64, 2), grid, reduce, generator=Generator(), **options)
