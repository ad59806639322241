"""Sorting in memory: chunks through the bitonic network, then passes of merging; and resolving."""

from system.cost import Cost
from system.engine_shape import ENTRY_BITS, RECORD_BITS, JobShape, divide_up
from system.memory import Memory

_PLAN, _PASS, _PAIR = 7, 5, 4
"""Cycles to start a job, to start and end a pass, and of a pair of runs."""
_UNEVEN = 1.23
"""How much longer two queues take as runs are not used up evenly."""
_LOOKUPS, _TURN = 16, 3
"""Most slots that are looked up at once, and cycles of a place besides memory's."""


def sort_entries(job: JobShape, memory: Memory, keep: int) -> Cost:
    """Sort the entries of all tokens as records, as far as the first ``keep``: see `_sort`."""
    beats = job.engine.beats_of(job.tokens, RECORD_BITS)
    entries = job.engine.beats_of(job.tokens, ENTRY_BITS)
    return _sort(job, memory, job.tokens, keep, entries, beats) if keep else Cost(2)


def sort_words(job: JobShape, memory: Memory, count: int) -> Cost:
    """Sort so many records that lie in memory."""
    return _sort(job, memory, count, count, job.engine.beats_of(count, RECORD_BITS), 0)


def _sort(job: JobShape, memory: Memory, count: int, keep: int, read: int, joined: int) -> Cost:
    """A sort of ``count`` records of which ``keep`` are wanted.

    The chunks take a cycle a beat of records, and one more for each that is joined of two beats of
    entries, or what a read queue's credits let come. Each pass takes a record a cycle, and `_PAIR`
    cycles a pair of runs, or what memory's bursts and both queues' credits let come; half of what
    is dropped where runs are cut costs a cycle a beat. Every phase waits once for memory's answer
    and once for its acknowledgement.
    """
    engine = job.engine
    per_beat, chunk = engine.records_per_beat, engine.chunk_records
    chunks = divide_up(count, chunk)
    beats, kept, stride = chunks * chunk // per_beat, divide_up(keep, per_beat), chunk // per_beat
    levels = (chunk - 1).bit_length()
    latency = levels * (levels + 1) // 2
    drain = latency + 1 + (stride - 1) * min(chunks, latency)
    waits = memory.answer + memory.landing
    chunk_phase = max(beats + joined, read / memory.credited(engine))
    total = Cost(_PLAN + (chunks - 1).bit_length() + chunk_phase + drain + waits, read, beats)
    while stride < beats:
        total += _pass(job, memory, beats, kept, stride) + Cost(_PASS + waits)
        stride *= 2
    return total


def _pass(job: JobShape, memory: Memory, beats: int, kept: int, stride: int) -> Cost:
    engine = job.engine
    read = written = pairs = 0
    for offset in range(0, beats, 2 * stride):
        first = min(stride, kept, beats - offset)
        second = min(stride, kept, max(beats - offset - stride, 0))
        read += first + second
        written += min(first + second, kept)
        pairs += 1
    merging = written * engine.records_per_beat + _PAIR * pairs + (read - written) / 2
    burst = min(stride, engine.burst_beats)
    bursts = (read / burst - memory.outstanding) * (memory.latency + burst) / memory.outstanding
    credited = 0.0
    if read > 2 * engine.fifo_beats:  # Else the queues take all of it at once.
        credited = _UNEVEN * read / memory.credited(engine, 2)
    return Cost(max(merging, bursts, credited), read, written)


def resolve(job: JobShape, memory: Memory) -> Cost:
    """Put dst tokens in the place of the slots of the K pairs that are kept.

    Cycles: a record a cycle, and a beat of them, where memory answers a lookup in time; else
    `_LOOKUPS` at once.
    """
    count = job.reduce
    if not count:
        return Cost(2)
    waits = (count - 1) // _LOOKUPS * max(0, memory.latency + 5 + _TURN - _LOOKUPS)
    beats = job.engine.beats_of(count, RECORD_BITS)
    cycles = count + max(beats, waits) + 6 + memory.answer * 2 + memory.landing
    return Cost(cycles, beats + count, beats)
