import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from golden import min_tree
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


@contextmanager
def blocks(src: int, slots: int, kept: int) -> Iterator[None]:
    """Tiles of src x slots tokens; ``kept`` values of prepared slots at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(min_tree, "SRC_BLOCK", src)
        patch.setattr(min_tree, "SLOT_BLOCK", slots)
        patch.setattr(min_tree, "SLOT_VALUES", kept)
        yield


@given(sets_with_dst(), st.integers(1, 5), st.integers(1, 5), st.integers(1, 40))
def test_nearest_is_brute_force_for_any_blocks(
    case: tuple[Quantized, list[int]], src_block: int, slot_block: int, kept: int
) -> None:
    tokens, dst = case
    src = [i for i in range(len(tokens.q)) if i not in dst]
    slots, _ = oracle.pair(tokens.q.tolist(), tokens.weight.tolist(), dst)
    with blocks(src_block, slot_block, kept):
        got = nearest(Points(tokens), torch.tensor(src), torch.tensor(dst))
    assert got.tolist() == [slots[i] for i in src]


@pytest.mark.parametrize("seed", range(3))
def test_blocks_change_nothing_where_slots_tie(seed: int) -> None:
    tokens = random_levels(2000, 3, seed, most=2)
    points, dst, src = Points(tokens), torch.arange(0, 2000, 2), torch.arange(1, 2000, 2)
    with blocks(2000, 2000, 6000):
        whole = nearest(points, src, dst)
    with blocks(64, 17, 200):
        assert torch.equal(nearest(points, src, dst), whole)
    # The default blocks cut these slots too, and ties do occur.
    assert len(dst) > min_tree.SLOT_BLOCK
    assert torch.equal(nearest(points, src, dst), whole)
    assert len(set(whole.tolist())) < 30


def test_float_nearest() -> None:
    tokens = random_floats(300, 16, 3)
    dst, src = torch.arange(0, 300, 5), torch.arange(1, 300, 5)
    want = torch.cdist(tokens[src].double(), tokens[dst].double()).argmin(dim=1)
    with blocks(50, 7, 500):
        assert torch.equal(nearest(Points(tokens), src, dst), want)


# A process of its own: peak memory only ever grows, and other tests would hide a new peak.
# (VmHWM, as a child inherits the peak that getrusage tells.)
_PEAK = """
import pathlib
import torch
from golden.datm import pair
from golden.dau import Points
from golden.sampler import sample
from golden.tests.cases import random_levels
peak = lambda: int(pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
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
    # All 18,000 x 6,000 distances would take 422,000 KiB in float32; tokens and tiles take little,
    # the multiplication's own buffers some 30,000 to 70,000.
    assert int(done.stdout) < 150_000
