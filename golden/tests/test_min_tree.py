import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from golden.dau import Points
from golden.min_tree import Least, least, merge, nearest
from golden.qe import Quantized
from golden.tests import oracle
from golden.tests.cases import random_floats, random_levels, sets_with_dst


def test_least_names_the_first_of_equal_distances() -> None:
    tile = torch.tensor([[3.0, 1.0, 1.0], [0.0, 0.0, 0.0], [5.0, 4.0, 3.0]])
    found = least(tile, first_slot=10)
    assert found.distance.tolist() == [1, 0, 3]
    assert found.slot.tolist() == [11, 10, 12]


def test_least_names_the_first_in_long_rows() -> None:
    tile = torch.randint(0, 3, (200, 777), generator=torch.Generator().manual_seed(1)).float()
    want = [row.index(min(row)) for row in tile.tolist()]
    assert least(tile).slot.tolist() == want


def test_merge_keeps_the_lower_slot_on_ties() -> None:
    low = Least(torch.tensor([2.0, 2.0, 2.0]), torch.tensor([0, 1, 2]))
    high = Least(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([7, 8, 9]))
    merged = merge(low, high)
    assert merged.distance.tolist() == [1, 2, 2]
    assert merged.slot.tolist() == [7, 1, 2]


@given(sets_with_dst(), st.integers(1, 5), st.integers(1, 5))
def test_nearest_is_brute_force_for_any_blocks(
    case: tuple[Quantized, list[int]], src_block: int, dst_block: int
) -> None:
    tokens, dst = case
    src = [i for i in range(len(tokens.q)) if i not in dst]
    slots, _ = oracle.pair(tokens.q.tolist(), tokens.weight.tolist(), dst)
    got = nearest(
        Points(tokens),
        torch.tensor(src),
        torch.tensor(dst),
        src_block=src_block,
        dst_block=dst_block,
    )
    assert got.tolist() == [slots[i] for i in src]


@pytest.mark.parametrize("seed", range(3))
def test_blocks_change_nothing_where_slots_tie(seed: int) -> None:
    tokens = random_levels(700, 3, seed, most=2)
    points, dst, src = Points(tokens), torch.arange(0, 700, 3), torch.arange(1, 700, 3)
    whole = nearest(points, src, dst, src_block=700, dst_block=700)
    assert torch.equal(whole, nearest(points, src, dst, src_block=64, dst_block=17))
    # The default blocks, too, and ties do occur.
    assert torch.equal(whole, nearest(points, src, dst))
    assert len(set(whole.tolist())) < 30


def test_float_nearest() -> None:
    tokens = random_floats(300, 16, 3)
    dst, src = torch.arange(0, 300, 5), torch.arange(1, 300, 5)
    want = torch.cdist(tokens[src].double(), tokens[dst].double()).argmin(dim=1)
    assert torch.equal(nearest(Points(tokens), src, dst, src_block=50, dst_block=7), want)


@pytest.mark.parametrize("blocks", [{"src_block": 0}, {"dst_block": 0}])
def test_empty_blocks_are_refused(blocks: dict[str, int]) -> None:
    tokens = random_levels(4, 2, 0)
    with pytest.raises(ValueError, match="the block size is 0; it must be at least 1"):
        nearest(Points(tokens), torch.tensor([0]), torch.tensor([1]), **blocks)


# A process of its own: peak memory only ever grows, and other tests would hide a new peak.
_PEAK = """
import resource
import torch
from golden.datm import pair
from golden.dau import Points
from golden.sampler import sample
from golden.tests.cases import random_levels
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
torch.set_num_threads(1)
pair(Points(random_levels(2000, 4, 0)), sample(2000, 1000, 0))
before = peak()
pair(Points(random_levels(24000, 4, 0)), sample(24000, 6000, 0))
print(peak() - before)
"""


def test_memory_does_not_grow_with_the_number_of_pairs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PEAK], capture_output=True, text=True, check=True, timeout=60
    )
    # All 24,000 x 6,000 distances would take 563,000 KiB in float32; tokens and tiles take little.
    assert int(done.stdout) < 60_000
