"""Convergence: whether the total pair loss still changes enough to go on."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.handshake import Handshake
from hw.config import EPSILON_BITS, EngineConfig


class Convergence(wiring.Component):
    """Tests ``|L_prev - L| * 2^16 < epsilon * L_prev`` exactly (docs/definition.md, 'Convergence').

    Both sides are made a bit a cycle, lowest bit first, and compared as they come. Which of L_prev
    and L is the larger shows only at the end, so both differences are made and compared.

    Ports: ``run`` In `Handshake`, a start at the earliest with the done before; with start
    ``loss`` In (L of this pairing), ``first`` In (no pairing before: what is kept does not count),
    ``epsilon`` In (Q0.16), ``last`` In (the last pairing allowed: stop in any case); with done
    ``stop`` Out, which holds until the next done.

    Done comes `latency` cycles after start; then L is the next test's L_prev.
    """

    def __init__(self, config: EngineConfig):
        self._bits = config.loss_bits + EPSILON_BITS
        super().__init__(
            {
                "run": In(Handshake()),
                "loss": In(config.loss_bits),
                "first": In(1),
                "epsilon": In(EPSILON_BITS),
                "last": In(1),
                "stop": Out(1),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from start to done: the operands, each bit of both sides, and the verdict."""
        return 1 + self._bits + 1

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        # L_prev and L times 2^16. L turns round once, so that it is there for the next test.
        previous = Signal(self._bits)
        current = Signal(self._bits)
        first = Signal()
        last = Signal()
        epsilon = Signal(EPSILON_BITS)
        busy = Signal()
        left = Signal(range(self._bits + 1))

        # What is carried of the product into its next bits stays below epsilon.
        carried = Signal(EPSILON_BITS)
        total = Signal(EPSILON_BITS + 1)
        m.d.comb += total.eq(carried + Mux(previous[EPSILON_BITS], epsilon, 0))

        # The bits of L_prev - L and L - L_prev: their borrows, and whether they are below so far.
        fall, rise = _Side("fall"), _Side("rise")

        m.d.sync += self.run.done.eq(0)
        with m.If(busy & (left != 0)):
            fall.step(m, previous[0], current[0], total[0])
            rise.step(m, current[0], previous[0], total[0])
            m.d.sync += [
                left.eq(left - 1),
                previous.eq(previous >> 1),
                current.eq(current.rotate_right(1)),
                carried.eq(total >> 1),
            ]
        with m.Elif(busy):
            # The difference that borrowed in the end is the negative one.
            m.d.sync += [
                self.stop.eq(last | (Mux(fall.borrow, rise.below, fall.below) & ~first)),
                self.run.done.eq(1),
                busy.eq(0),
            ]
        with m.If(self.run.start):
            m.d.sync += [
                previous.eq(current),
                current.eq(self.loss << EPSILON_BITS),
                first.eq(self.first),
                last.eq(self.last),
                epsilon.eq(self.epsilon),
                carried.eq(0),
                left.eq(self._bits),
                busy.eq(1),
            ]
            fall.clear(m)
            rise.clear(m)
        return m


class _Side:
    """A difference made bit by bit, and whether it is below a product made likewise."""

    def __init__(self, name: str):
        self.borrow = Signal(name=f"{name}_borrow")
        self.below = Signal(name=f"{name}_below")

    def clear(self, m: Module) -> None:
        """Begin at the lowest bit."""
        m.d.sync += [self.borrow.eq(0), self.below.eq(0)]

    def step(self, m: Module, minuend: Value, subtrahend: Value, product: Value) -> None:
        """Take the next bit of each."""
        differ = minuend ^ subtrahend
        bit = differ ^ self.borrow
        m.d.sync += self.borrow.eq(Mux(differ, subtrahend, self.borrow))
        # The highest bit that differs decides.
        with m.If(bit ^ product):
            m.d.sync += self.below.eq(product)
