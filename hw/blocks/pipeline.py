"""Pipelines: registers, delays and adder trees that units are made of."""

from amaranth.hdl import Module, Signal, Value


def register(m: Module, value: Value, name: str, *, src_loc_at: int = 0) -> Signal:
    """``value`` a cycle later, with its own shape; its source line is the caller's."""
    following = Signal(value.shape(), name=name, src_loc_at=1 + src_loc_at)
    m.d.sync += following.eq(value)
    return following


def delay(m: Module, value: Value, cycles: int, name: str) -> Value:
    """``value`` as it was ``cycles`` before."""
    for cycle in range(cycles):
        value = register(m, value, f"{name}_{cycle + 1}", src_loc_at=1)
    return value


def tree_sum(terms: list[Value]) -> Value:
    """The sum of ``terms`` as a balanced tree, as wide as it needs."""
    while len(terms) > 1:
        terms = [sum(terms[i : i + 2]) for i in range(0, len(terms), 2)]
    return terms[0]
