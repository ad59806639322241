"""Each stage by hand-worked cases, and bounds that hold for any sizes."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from system.cost import Cost
from system.engine_cycles import job_cost
from system.engine_shape import JobShape
from system.match_statistics import MatchStatistics, PairingCount, UpdateCount
from system.memory import Memory
from system.stages.comparison import Comparison
from system.stages.initializing import initialize
from system.stages.pairing import pairing_pass
from system.stages.quantizing import quantize
from system.stages.sorting import resolve, sort_entries
from system.stages.updating import record_beats, update
from system.tests.shapes import OWN_SCALES, SMALL, small_job

MEMORY = Memory()


def test_bytes_of_quantising() -> None:
    """128 channels are 4 beats of levels and 16 of values; their records 64, sorted by fours."""
    cost = quantize(small_job(), MEMORY)
    sorted_beats = 64 * (1 + 5)
    assert cost.read == 2 * 100 * 16 + 64 + sorted_beats
    assert cost.written == 100 * 4 + 64 + sorted_beats
    own = quantize(JobShape(OWN_SCALES, 100, 128, 20, 0), MEMORY)
    assert (own.read, own.written) == (2 * 100 * 4, 100)


def test_bytes_of_init() -> None:
    assert initialize(small_job(), MEMORY).read == 0
    assert initialize(small_job(), MEMORY, host_list=True).read == 10 + 100
    assert initialize(small_job(), MEMORY).written == 100 + 2 * 20


def test_a_pass_by_hand() -> None:
    """80 src are 13 tiles of 6 and one of 2: 27 groups of 3, each with 5 tiles of 4 dst."""
    cost = pairing_pass(small_job(), MEMORY, 80, 20)
    assert cost.read == 100 + 80 * 4 + 14 * (10 + 20 * 4)
    assert cost.written == 80 + 1
    assert cost.busy == 27 * 5 * 8
    assert cost.useful == 80 * 20 * 128
    moved = pairing_pass(small_job(), MEMORY, 80, 3, moved=True)
    assert moved.read == 100 + 80 * 4 + 14 * (2 + 3 * 4)
    assert moved.written == 80
    nothing = pairing_pass(small_job(), MEMORY, 0, 20)
    assert (nothing.read, nothing.written, nothing.busy, nothing.useful) == (100, 1, 0, 0)
    assert nothing.cycles < 400


def test_a_shared_pass_reads_a_part_of_the_stream() -> None:
    whole = pairing_pass(small_job(), MEMORY, 80, 20)
    part = pairing_pass(small_job(), MEMORY, 80, 20, engines=5)
    assert part.read == 80 * 4 + (100 + 14 * (10 + 20 * 4)) // 5
    assert part.useful == whole.useful


def test_long_rows_keep_the_lanes_busy() -> None:
    """512 channels are 32 chunks and 16 beats a row: the rows of a tile come while it is used."""
    job = JobShape(replace(SMALL, src_groups=8), 2000, 512, 1000, 0)
    cost = pairing_pass(job, MEMORY, 1000, 1000)
    compared = 334 * 250 * 32
    assert cost.busy == compared
    assert compared < cost.cycles < 1.08 * compared


def test_memory_is_waited_for() -> None:
    """A group of 8 chunks waits for 4 rows and 2 beats of the list: 18 beats, 6 requests."""
    job = JobShape(replace(SMALL, src_groups=1), 1000, 128, 900, 0)
    quick = pairing_pass(job, Memory(1), 3, 900).cycles
    assert 225 * 18 < quick < 225 * 20 + 1300
    slow = pairing_pass(job, Memory(300), 3, 900).cycles
    assert slow == pytest.approx(225 * 6 * (300 + 5 + 4) / 8, rel=0.1)


def test_comparisons_that_end_early() -> None:
    """What decides shows after `seen` more chunks, but not before `earliest`."""
    job = JobShape(SMALL, 100, 320, 20, 0)
    comparison = Comparison(job)
    assert (comparison.latency, comparison.merge, comparison.drain) == (5, 8, 14)
    assert (comparison.seen, comparison.earliest, comparison.least) == (8, 23, 8)

    def decided(chunk: int) -> tuple[int, ...]:
        return (*(int(place == chunk - 1) for place in range(20)), 0)

    assert comparison.taken(()) == comparison.taken((0,) * 20 + (5,)) == 20
    assert comparison.taken(decided(3)) == 20
    longer = Comparison(JobShape(SMALL, 100, 512, 20, 0))
    many = (0, 0, 3, *(0,) * 27, 1, 0, 4)
    assert longer.taken(many) == (3 * 23 + 1 * 32 + 4 * 32) / 8
    assert longer.taken(many, waited=20) == (3 * 11 + 1 * 32 + 4 * 32) / 8
    assert longer.taken((*(0,) * 7, 1, *(0,) * 9)) == 24  # Half of its row's 16, and 8.


def test_bytes_of_a_sort() -> None:
    """100 tokens are 25 chunks of 2 beats; 5 passes, of which only the last leaves any out."""
    cost = sort_entries(small_job(), MEMORY, 100)
    assert (cost.read, cost.written) == (100 + 5 * 50, 50 + 5 * 50)
    # The first 30 records are 15 beats: runs of 16 and of 32 beats are cut to that.
    some = sort_entries(small_job(), MEMORY, 30)
    assert some.read == 100 + 50 + 50 + 50 + (3 * 15 + 2) + (15 + 15)
    assert some.written == 50 + 50 + 50 + (3 * 15 + 2) + (15 + 15) + 15
    assert sort_entries(small_job(), MEMORY, 0) == Cost(2)


def test_resolving() -> None:
    cost = resolve(small_job(), MEMORY)
    assert (cost.read, cost.written) == (15 + 30, 15)
    assert resolve(small_job(reduce=0), MEMORY) == Cost(2)


def test_records_that_are_read_again() -> None:
    """4,000 records are 2,000 beats, asked for in blocks of 64 with two ahead."""
    job = JobShape(SMALL, 4000, 128, 20, 0)
    assert record_beats(job, ()) == 2000
    # The scan has used up 100 beats when it has seen the first 200 records: 64 (100 // 64 + 2).
    first = 64 * 3
    assert record_beats(job, ((0, 200),)) == first + first + 2000
    # A round of 128 uses up 63 beats before its last record, and the scan has used 64.
    assert record_beats(job, ((0, 128),)) == 64 * 3 + 64 * 2 + 2000
    # One near the end reads nothing beyond it, and the last scan begins at its first beat.
    assert record_beats(job, ((3801, 199),)) == 2000 + 100 + 100
    assert record_beats(job, ((0, 200), (3801, 199))) == first + first + 2000 + 100 + 100


def test_an_update_by_hand() -> None:
    """15 members of 4 beats, twice; 5 counts and 3 slots of 4 words."""
    count = UpdateCount(4, 15, 3, 5)
    cost = update(small_job(), MEMORY, count)
    assert (cost.read, cost.written) == (50 + 2 * 15 * 4, 5 + 3 * 4)
    assert cost.cycles > 2 * 15 * 16
    still = update(small_job(), MEMORY, UpdateCount(0, 0, 0, 0))
    assert 120 < still.cycles < 600


COUNTS = MatchStatistics(
    1000, 256, 250,
    (PairingCount(0, 0, 750), PairingCount(40, 710, 90), PairingCount(3, 747, 5)),
    (UpdateCount(200, 900, 40, 150, ((10, 140),)), UpdateCount(60, 300, 3, 50)),
)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(
    tokens=st.integers(60, 3000),
    channels=st.integers(1, 512),
    share=st.integers(5, 60),
    latency=st.integers(1, 300),
    own=st.booleans(),
)
def test_no_stage_is_faster_than_its_work(
    tokens: int, channels: int, share: int, latency: int, own: bool
) -> None:
    num_dst = tokens * share // 100
    job = JobShape(OWN_SCALES if own else SMALL, tokens, channels, num_dst, tokens // 4)
    cost = job_cost(job, COUNTS.scaled(tokens, channels, num_dst), Memory(latency))
    for stage, _, each in cost.parts:
        assert each.cycles >= max(each.busy, each.read, each.written) - 1, stage
        assert each.useful <= each.busy * job.engine.lanes, stage
    assert cost.total.cycles == pytest.approx(sum(each.cycles for *_, each in cost.parts) + 1)


@settings(max_examples=15, deadline=None)
@given(
    tokens=st.integers(100, 2500),
    more=st.integers(50, 500),
    channels=st.sampled_from([64, 200, 512]),
)
def test_more_tokens_or_dst_take_longer(tokens: int, more: int, channels: int) -> None:
    def cycles(number: int, num_dst: int) -> float:
        job = JobShape(SMALL, number, channels, num_dst, 20)
        return job_cost(job, COUNTS.scaled(number, channels, num_dst)).total.cycles

    assert cycles(tokens + more, tokens // 4) > cycles(tokens, tokens // 4)
    assert cycles(tokens, tokens // 4 + 20) > cycles(tokens, tokens // 4)


def test_a_slower_memory_takes_longer() -> None:
    times = [
        job_cost(JobShape(SMALL, 1000, 256, 250, 20), COUNTS, Memory(latency)).total.cycles
        for latency in (10, 100, 200, 400)
    ]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("values", "rule"),
    [((0, 16), "latency is 0; it must be at least 1"), ((100, 0), "outstanding is 0")],
)
def test_bad_memory(values: tuple[int, int], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        Memory(*values)


def test_statistics_of_another_job() -> None:
    with pytest.raises(ValueError, match="and not of the job's"):
        job_cost(small_job(), COUNTS)
    few = replace(SMALL, max_pairings=2)
    with pytest.raises(ValueError, match="hold 3 pairings, but the engine does at most 2"):
        job_cost(JobShape(few, 1000, 256, 250, 20), COUNTS)
