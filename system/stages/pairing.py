"""Pairing: the passes over the slots that moved and over all slots, and the convergence check."""

from functools import cache

from system.cost import Cost
from system.engine_shape import JobShape, divide_up
from system.memory import REQUEST, Memory
from system.stages.comparison import Comparison
from system.stages.src_tile import SrcTile

_SETTLE = 5 + REQUEST
"""Cycles of a src that is settled: its entry's bytes wait until its address is on the bus."""
_BEGIN = 15
"""Cycles of a pass until its first src is looked for; its entries are asked for `_ASK` after it."""
_ASK = 2
_TURN = 4
"""Cycles from tile to tile: to drain the comparison, to start settling and to go on."""
_END = 3
"""Cycles to end a pass, besides the last write's way to memory."""


def pairing_pass(
    job: JobShape,
    memory: Memory,
    src: int,
    slots: int,
    needed: tuple[int, ...] = (),
    *,
    moved: bool = False,
    engines: int = 1,
) -> Cost:
    """A pass that compares so many src with so many slots; ``moved``: those that moved.

    Cycles: for each tile of R * Q src `SrcTile.cycles`, then the pipeline is drained, and its src
    settled in `_SETTLE` cycles each, or as fast as memory acknowledges their entries. Src are taken
    to be spread evenly over the tokens. Lastly the tokens behind the last src are looked at, and
    memory acknowledges. In no case more than a beat a cycle is read.

    Reads: all entries, a row a src, and for each src tile the list and a row a slot. Writes: an
    entry a src, and L where all slots are compared.

    Args:
        job: its sizes.
        memory: what answers.
        src: that are compared.
        slots: that they are compared with.
        needed: see `Comparison.taken`.
        moved: whether these are the slots that moved.
        engines: among which the tokens, and the traffic of the list and of dst rows, are divided.
    """
    engine = job.engine
    tiles, rest = divmod(src, engine.resident_src)
    sizes = [engine.resident_src] * tiles + [rest] * (rest > 0)
    tokens = job.tokens / engines
    spacing = tokens / max(1, src)
    first = max(0, memory.answer + _ASK - _BEGIN)
    cycles, chunks = float(_BEGIN), 0.0
    for number, size in enumerate(sizes):
        tile = SrcTile(job, memory, slots, size, needed, spacing, 0 if number else first)
        walked, taken = _walk(tile)
        cycles += walked + Comparison(job).drain + _TURN + memory.words_written(size, _SETTLE)
        chunks += taken
    if not sizes:
        cycles += SrcTile(job, memory, slots, 1, (), 1.0, first).entry_cycle(tokens)
    cycles += _END + memory.landing
    whole = sum(divide_up(size, engine.src_lanes) for size in sizes)
    whole *= divide_up(slots, engine.dst_lanes) * job.chunks
    streamed = len(sizes) * (job.list_beats(slots) + slots * job.row_beats)
    read = src * job.row_beats + divide_up(job.entry_beats + streamed, engines)
    return Cost(
        max(cycles, read),
        read,
        src + (not moved),
        busy=round(chunks),
        useful=round(src * slots * job.channels * chunks / whole) if whole else 0,
    )


@cache
def _walk(tile: SrcTile) -> tuple[float, float]:
    return tile.walk()


def convergence(job: JobShape) -> Cost:
    """The check after a pairing: its bits, serially, and a cycle to come back."""
    return Cost(job.engine.convergence_cycles + 1)
