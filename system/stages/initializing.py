"""Init: blank entries, then for each slot its word in the dst list and its dst's entry."""

from system.cost import Cost
from system.engine_shape import JobShape, divide_up
from system.memory import REQUEST, Memory

_SAMPLER = 15
"""Cycles until the sampler has decided on the first token."""
_WORD = REQUEST + 1
"""Least cycles of a word: its bytes wait until its address is on the bus."""
_TURNS = 13
"""Cycles to begin, between the entries and the slots, and to end."""
_FILL_BEATS, _FILL_CYCLES = 2, 3
"""Beats of a burst of entries, and its least cycles: it is announced when both are there."""
_CHECK = 3
"""Cycles to begin and to end the check of the host's list."""


def initialize(job: JobShape, memory: Memory, *, host_list: bool = False) -> Cost:
    """The stage.

    Cycles: the entries, in bursts of two beats, and their way to memory; then the sampler's begin,
    or memory's answer with a list of the host; a token is decided on a cycle, and a slot takes two
    words, each a burst of its own: whichever is slower; and the last word's way to memory. A list
    of the host is checked in a pass over the entries.
    """
    first = memory.answer + 1 if host_list else _SAMPLER
    words = memory.words_written(2 * job.num_dst, _WORD)
    slots = max(words, 0 if host_list else job.tokens)
    check = memory.answer + job.entry_beats + _CHECK if host_list else 0
    fill = memory.words_written(divide_up(job.entry_beats, _FILL_BEATS), _FILL_CYCLES)
    written = REQUEST + fill + memory.landing + first + slots + memory.landing
    return Cost(
        written + check + _TURNS,
        job.list_beats(job.num_dst) + job.entry_beats if host_list else 0,
        job.entry_beats + 2 * job.num_dst,
    )
