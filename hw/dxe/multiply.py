"""Multiplication over several cycles, for factors too wide for one."""

from amaranth.hdl import Module, Signal, Value

from hw.blocks.pipeline import register, tree_sum

CYCLES = 3
"""From factors to their product."""
_PART = 6
"""Bits of a factor whose products with the other one are made in a cycle."""


def in_parts(m: Module, a: Value, b: Value, name: str) -> Value:
    """``a * b`` of `CYCLES` before: parts of ``b`` are multiplied, then added in two steps."""
    parts = []
    for low in range(0, len(b), _PART):
        part = b[low : low + _PART]
        if low + _PART >= len(b) and b.shape().signed:
            part = part.as_signed()
        parts.append(register(m, a * part, f"{name}_{low}") << low)
    pairs = [tree_sum(parts[place : place + 2]) for place in range(0, len(parts), 2)]
    added = tree_sum([register(m, pair, f"{name}_pair_{i}") for i, pair in enumerate(pairs)])
    product = Signal((a * b).shape(), name=name)
    m.d.sync += product.eq(added)
    return product
