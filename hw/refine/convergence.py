"""Convergence: whether the total pair loss still changes enough to go on."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.handshake import Handshake
from hw.config import EPSILON_BITS, EngineConfig


class Convergence(wiring.Component):
    """Tests ``|L_prev - L| * 2^16 < epsilon * L_prev`` exactly (docs/definition.md, 'Convergence').

    The product is made a bit of epsilon a cycle, lowest bit first: its low 16 bits fall off the
    end and only whether any was 1 is kept, since ``d * 2^16 < p`` is the same as
    ``d < p div 2^16``, or ``d = p div 2^16`` with a remainder.

    Ports: ``run`` In `Handshake`, a start at the earliest with the done before; with start
    ``loss`` In (L of this pairing), ``first`` In (no pairing before: what is kept does not count),
    ``epsilon`` In (Q0.16), ``last`` In (the last pairing allowed: stop in any case); with done
    ``stop`` Out, which holds until the next done.

    Done comes `latency` cycles after start; then L is the next test's L_prev.
    """

    latency = EPSILON_BITS + 2

    def __init__(self, config: EngineConfig):
        self._config = config
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

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        loss_bits = self._config.loss_bits
        previous = Signal(loss_bits)
        current = Signal(loss_bits)
        first = Signal()
        last = Signal()
        epsilon = Signal(EPSILON_BITS)

        # Cycle 1 to 16 after start: a bit of the product each. The sum stays below 2 * L_prev.
        step = Signal(range(self.latency))
        busy = Signal()
        product = Signal(loss_bits)
        remainder = Signal()
        total = Signal(loss_bits + 1)
        m.d.comb += total.eq(product + Mux(epsilon[0], previous, 0))

        # Cycle 1: the change. Cycle 2: its magnitude, which then stays.
        change = Signal(signed(loss_bits + 1))
        magnitude = Signal(loss_bits)
        m.d.sync += [
            change.eq(previous - current),
            magnitude.eq(Mux(change < 0, -change, change)),
            self.run.done.eq(0),
        ]
        with m.If(busy):
            m.d.sync += step.eq(step + 1)
            with m.If(step < EPSILON_BITS):
                m.d.sync += [
                    Cat(remainder, product).eq(Cat(remainder | total[0], total[1:])),
                    epsilon.eq(epsilon >> 1),
                ]
            with m.Else():
                # Cycle 17: the comparison, and L becomes the loss before.
                below = magnitude < product + remainder
                m.d.sync += [
                    self.stop.eq(last | (below & ~first)),
                    self.run.done.eq(1),
                    previous.eq(current),
                    busy.eq(0),
                ]
        with m.If(self.run.start):
            m.d.sync += [
                current.eq(self.loss),
                first.eq(self.first),
                last.eq(self.last),
                epsilon.eq(self.epsilon),
                product.eq(0),
                remainder.eq(0),
                step.eq(0),
                busy.eq(1),
            ]
        return m
