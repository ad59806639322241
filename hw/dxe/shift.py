"""Shifts of a number that is to be normalised, or rounded."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value


def shifted_right(m: Module, value: Value, by: Value, name: str) -> Value:
    """``value`` shifted; its lowest bit is 1 too if any bit that was shifted out is."""
    width = len(value)
    for place in range(len(by)):
        distance = min(1 << place, width)
        moved = Signal(width, name=f"{name}_{place}")
        shifted = value[distance:] | value[:distance].any()
        m.d.comb += moved.eq(Mux(by[place], shifted, value))
        value = moved
    return value


def leading_zeros(m: Module, value: Value, name: str) -> Value:
    """How many zeros there are above the highest one of ``value``; its width where it is 0."""
    zeros = Signal(len(value).bit_length(), name=f"{name}_zeros")
    width = 1 << len(zeros)
    value = Cat(Const(-1, width - len(value)), value)
    for place in reversed(range(len(zeros))):
        width //= 2
        low, high = value[:width], value[width:]
        left = Signal(width, name=f"{name}_{place}")
        m.d.comb += [zeros[place].eq(~high.any()), left.eq(Mux(zeros[place], low, high))]
        value = left
    return zeros


def round_up(kept: Value, below: Value) -> Value:
    """Whether to round up to nearest, ties to even: ``below`` are the bits below those kept."""
    return below[-1] & (kept[0] | below[:-1].any())
