"""For proofs about a window of cycles: what inputs were before, with no reset in between."""

from amaranth.hdl import Assume, Module, ResetSignal, Signal, Value


def no_reset(m: Module) -> None:
    """No reset comes within the window."""
    m.d.comb += Assume(~ResetSignal(allow_reset_less=True))


def ago(m: Module, value: Value, cycles: int) -> Value:
    """``value`` as it was ``cycles`` before; not to be called within a condition."""
    for _ in range(cycles):
        later = Signal(value.shape(), name="ago", reset_less=True)
        m.d.sync += later.eq(value)
        value = later
    return value
