"""Brute force in Python's own integers and fractions, straight from docs/definition.md.

Slow, unblocked, and free of torch: what the golden model is compared with.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import floor

Matrix = Sequence[Sequence[int]]


def distance(x: Sequence[int], y: Sequence[int], weight: Sequence[int]) -> int:
    """Weighted squared distance of two tokens."""
    return sum(w * (a - b) ** 2 for a, b, w in zip(x, y, weight, strict=True))


def pair(q: Matrix, weight: Sequence[int], dst: Sequence[int]) -> tuple[list[int], list[int]]:
    """Slot and loss of every token: a dst has its own slot, a src its nearest, lowest on ties."""
    slots, losses = [], []
    for token, x in enumerate(q):
        if token in dst:
            slot = dst.index(token)
        else:
            slot = min(range(len(dst)), key=lambda j: (distance(x, q[dst[j]], weight), j))
        slots.append(slot)
        losses.append(distance(x, q[dst[slot]], weight))
    return slots, losses


def update(q: Matrix, weight: Sequence[int], slots: Sequence[int], dst: Sequence[int]) -> list[int]:
    """Exact medoid of every group by all distances within it; current dst, then lowest, on ties."""
    moved = []
    for j, current in enumerate(dst):
        group = [i for i, slot in enumerate(slots) if slot == j]
        cost = {i: sum(distance(q[i], q[k], weight) for k in group) for i in group}
        moved.append(min(group, key=lambda i: (cost[i], i != current, i)))
    return moved


def selection(draws: Iterator[int], num_tokens: int, num_dst: int) -> list[int]:
    """Selection sampling: token i goes in with probability (still wanted) / (still left)."""
    chosen: list[int] = []
    for i in range(num_tokens):
        if len(chosen) < num_dst:
            uniform = Fraction(next(draws), 2**32)
            if uniform < Fraction(num_dst - len(chosen), num_tokens - i):
                chosen.append(i)
    return chosen


def datm(
    q: Matrix,
    weight: Sequence[int],
    dst: Sequence[int],
    reduce: int,
    epsilon: Fraction,
    max_iterations: int,
) -> tuple[list[tuple[int, int, int]], list[int], list[int]]:
    """The whole loop: (loss, src, dst) of the kept pairs, the medoids, and L of each pairing."""
    dst, history = list(dst), []
    while True:
        slots, losses = pair(q, weight, dst)
        history.append(sum(losses))
        if len(history) == max_iterations:
            break
        if len(history) > 1 and abs(history[-2] - history[-1]) < epsilon * history[-2]:
            break
        moved = update(q, weight, slots, dst)
        if moved == dst:
            break
        dst = moved
    pairs = [(losses[i], i, dst[slots[i]]) for i in range(len(q)) if i not in dst]
    return sorted(pairs)[:reduce], dst, history


def quantize(
    tokens: Sequence[Sequence[float]], bf16: bool, group: int, weight_bits: int
) -> tuple[list[list[int]], list[int], list[Fraction], list[int]]:
    """Quantise format values: q by token, weight, step and channel by position."""
    channels = [[Fraction(v) for v in column] for column in zip(*tokens, strict=True)]
    unit = Fraction(1, 2**24)
    if bf16:
        peak = max((abs(v) for c in channels if min(c) != max(c) for v in c), default=Fraction(0))
        exponent = -126
        while Fraction(2) ** (exponent + 1) <= peak:
            exponent += 1
        unit = Fraction(2) ** (exponent - 39)
    # int() of a fraction rounds toward zero.
    fixed = [[int(v / unit) if min(c) != max(c) else 0 for v in c] for c in channels]
    spans = [max(c) - min(c) for c in fixed]
    order = list(range(len(spans)))
    if group > 1:
        order.sort(key=lambda c: (-spans[c], c))
    shared = [spans[order[p - p % group]] for p in range(len(order))]
    columns = []
    for c, span in zip(order, shared, strict=True):
        low, step = min(fixed[c]), Fraction(span, 15)
        columns.append([floor((x - low) / step + Fraction(1, 2)) if span else 0 for x in fixed[c]])
    shift = max(0, max(spans).bit_length() - 16)
    full, top = 2**weight_bits - 1, max(spans) >> shift
    weight = [
        floor(full * Fraction(r >> shift, top) ** 2 + Fraction(1, 2)) if top else 0 for r in shared
    ]
    steps = [Fraction(r, 15) * unit for r in shared]
    return [list(row) for row in zip(*columns, strict=True)], weight, steps, order
