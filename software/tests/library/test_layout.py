"""Where the regions of a job lie: apart, or one behind the other."""

from itertools import pairwise

import numpy as np
import pytest

from hw.config import PRESETS
from hw.regions import REGIONS, JobSizes, job_bytes, largest_job
from software.library.backends.layout import Layout

JOB = JobSizes(PRESETS["tiny"], 21, 30, 5)


def test_packed_regions_lie_one_behind_the_other() -> None:
    layout = Layout(JOB, packed=True)
    places = [layout.places[region.name] for region in REGIONS]
    assert places[0].address == 0
    for place, following in pairwise(places):
        assert following.address == place.address + place.size
    assert layout.size == places[-1].address + places[-1].size == job_bytes(JOB)
    assert all(place.address % JOB.config.bus_bytes == 0 for place in places)


def test_other_regions_have_a_page_of_nobodys_between_them() -> None:
    layout = Layout(JOB)
    places = [layout.places[region.name] for region in REGIONS]
    assert places[0].address == 4096
    for place, following in pairwise(places):
        assert following.address % 4096 == 0
        assert following.address >= place.address + place.size + 4096
    assert layout.size >= places[-1].address + places[-1].size + 4096


def test_no_job_needs_more_memory_than_the_largest() -> None:
    config = PRESETS["tiny"]
    rng = np.random.default_rng(1)
    most = job_bytes(largest_job(config))
    # By hand, in beats of 16 bytes: 64 x 8, 64 x 2, 64, 2 x 32, 2 x 16, 16.
    assert most == 16 * (512 + 128 + 64 + 64 + 32 + 16)
    for _ in range(100):
        tokens, channels = (int(each) for each in rng.integers(2, 65, 2))
        num_dst = int(rng.integers(1, min(tokens, 33)))
        assert job_bytes(JobSizes(config, tokens, channels, num_dst)) <= most


@pytest.mark.parametrize("packed", [False, True])
def test_what_is_put_is_in_its_region(packed: bool) -> None:
    layout = Layout(JOB, packed=packed)
    memory = np.full(layout.size, 0xA5, np.uint8)
    values = np.arange(21 * 30, dtype=np.uint16).reshape(21, 30)
    layout.put_tokens(memory, values)
    layout.put_dst(memory, [4, 3, 2, 1, 0])
    assert layout.dst(memory).tolist() == [4, 3, 2, 1, 0]
    for name in ("TOKENS", "DST"):
        place = layout.places[name]
        memory[place.address : place.address + place.size] = 0xA5
    assert (memory == 0xA5).all()
