"""Dst update: the sorted records are scanned, and the groups that changed are read twice."""

from system.cost import Cost
from system.engine_shape import RECORD_BITS, JobShape, divide_up
from system.match_statistics import UpdateCount
from system.memory import REQUEST, Memory

_BLOCK = 64
"""Beats of records of a request, of which two are ahead."""
_GROUPS = 4
"""Groups that are under way at once."""
_HEAD = 14
"""Cycles from a group's last record to its first row's request, and to the first record's."""
_WORD = REQUEST + 1
"""Least cycles of a word: its bytes wait until its address is on the bus."""


def update(job: JobShape, memory: Memory, count: UpdateCount) -> Cost:
    """An update.

    Cycles: the records are scanned, one each and one a group, or as fast as the read queue's
    credits let them come; meanwhile the members of changed groups are fed twice, a word of U
    channels a cycle or as memory gives rows, which hides the records that are read again; and a
    word is written for each slot that is counted anew, four for each that moves. The slowest of
    the three counts, and what comes before the first group and after the last one. Where so many
    small groups follow one another that all `_GROUPS` under way are such, the next group's first
    row is waited for.

    Reads: the records, and those of long groups again (`record_beats`); two rows a member. Writes:
    the words, a beat each.
    """
    engine = job.engine
    words = job.chunks * (engine.channel_lanes // engine.update_lanes)
    feed = 2 * count.members * max(words, memory.row_cycles(engine, job.row_beats))
    listed = engine.beats_of(job.tokens, RECORD_BITS)
    scan = max(job.tokens + job.num_dst, listed / memory.credited(engine))
    written = count.recounted + 4 * count.moved
    writing = written * max(_WORD, memory.word_cycles)
    groups = max(1, count.groups)
    small = max(0, count.recounted + count.moved - count.groups)
    others = small / max(1, small + count.groups)
    waiting = count.groups * others ** (_GROUPS - 1) * memory.answer
    cycles = max(scan / groups + feed + waiting, scan + feed / groups, writing)
    if count.groups:
        cycles += memory.answer + _HEAD
    return Cost(
        cycles + memory.answer + memory.landing + _winner(job) + 4 * _WORD,
        record_beats(job, count.long) + 2 * count.members * job.row_beats,
        written,
    )


def _winner(job: JobShape) -> int:
    """Cycles from a group's last word to its winner: a word's channels are added up by threes."""
    terms, cycles = job.engine.update_lanes, 8 if job.engine.shared_scale else 9
    while terms > 1:
        terms, cycles = divide_up(terms, 3), cycles + 1
    return cycles


def record_beats(job: JobShape, long: tuple[tuple[int, int], ...]) -> int:
    """Beats of records that are read where the groups ``long`` are read again.

    Blocks are asked for while no more than one is under way. So when the reader goes back to the
    begin of a group, it has asked for two blocks beyond those that it has used up, but for nothing
    beyond the list; what it has not used is read in vain.
    """
    per_beat = job.engine.records_per_beat
    beats = job.engine.beats_of(job.tokens, RECORD_BITS)

    def asked(first: int, end: int) -> int:
        left = beats - first // per_beat
        used = end // per_beat - first // per_beat
        return min(left, _BLOCK * (used // _BLOCK + 2))

    total = at = 0
    for first, size in long:
        # Of the second time the last beat is not used up yet when the reader goes back.
        total += asked(at, first + size) + asked(first, first + size - 1)
        at = first
    return total + beats - at // per_beat
