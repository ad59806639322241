"""Pairing: the passes over the slots that moved and over all slots, and the convergence check."""

from functools import cache

from system.cost import Cost
from system.engine_shape import JobShape, divide_up
from system.memory import Memory
from system.stages.src_tile import SrcTile, dau_latency, merge_cycles

_SETTLE = 5
"""Cycles of a src that is settled."""
_BEGIN = 14
"""Cycles of a pass until its first src is looked for; its entries are asked for `_ASK` after it."""
_ASK = 2
_TURN = 4
"""Cycles from tile to tile: to drain the comparison, to start settling and to go on."""
_END = 3
"""Cycles to end a pass, besides the last write's way to memory."""


def pairing_pass(job: JobShape, memory: Memory, src: int, slots: int, *, moved: bool) -> Cost:
    """A pass that compares so many src with so many slots; ``moved``: those that moved.

    Cycles: for each tile of R * Q src `SrcTile.cycles`, then the pipeline is drained, and its src
    settled in `_SETTLE` cycles each, or as fast as memory acknowledges their entries. Src are taken
    to be spread evenly over the tokens. Lastly the tokens behind the last src are looked at, and
    memory acknowledges.

    Reads: all entries; a row a src; for each src tile the list and a row a slot. Writes: an entry a
    src, and L where all slots are compared.
    """
    engine = job.engine
    tiles, rest = divmod(src, engine.resident_src)
    sizes = [engine.resident_src] * tiles + [rest] * (rest > 0)
    spacing = job.tokens / max(1, src)
    first = memory.answer + _ASK - _BEGIN
    cycles, before = float(_BEGIN), 0.0
    for number, size in enumerate(sizes):
        cycles += _tile(job, memory, slots, size, spacing, max(0, first) if not number else 0.0)
    left = SrcTile(job, memory, slots, 1, spacing).entry_cycle(job.tokens - src * spacing)
    if not sizes:
        left = SrcTile(job, memory, slots, 1, 1.0, first).entry_cycle(job.tokens)
    cycles += left + _END + memory.landing + before
    groups = sum(divide_up(size, engine.src_lanes) for size in sizes)
    dst_tiles = divide_up(slots, engine.dst_lanes)
    read = job.entry_beats + src * job.row_beats
    read += len(sizes) * (job.list_beats(slots) + slots * job.row_beats)
    return Cost(
        cycles,
        read,
        src + (not moved),
        busy=groups * dst_tiles * job.chunks,
        useful=src * slots * job.channels,
    )


@cache
def _tile(
    job: JobShape, memory: Memory, slots: int, count: int, spacing: float, entries_from: float
) -> float:
    compared = SrcTile(job, memory, slots, count, spacing, entries_from).cycles()
    drain = dau_latency(job) + 1 + merge_cycles(job)
    return compared + drain + _TURN + memory.words_written(count, _SETTLE)


def convergence(job: JobShape) -> Cost:
    """The check after a pairing: its bits, serially, and a cycle to come back."""
    return Cost(job.engine.convergence_cycles + 1)
