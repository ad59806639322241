"""Convergence: of two tests one after the other, the second is what the definition says."""

from typing import Any

from amaranth.hdl import Assert, Assume, Cat, Module, Mux, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from formal.proof import Proof
from formal.windows import ago, no_reset
from hw.config import PRESETS, EngineConfig
from hw.refine.convergence import Convergence

_EPSILON_BITS, _LOSS_BITS = 4, 6
_LATENCY = 1 + _LOSS_BITS + _EPSILON_BITS + 1
_REST = 2
"""Cycles, at most, from a done to the next start."""


class _Small(EngineConfig):
    """An engine whose losses have few bits."""

    loss_bits = _LOSS_BITS


class _Properties(wiring.Component):
    """No start comes before the done of the one before; the second is a few cycles after it."""

    def __init__(self, unit: Any):
        self._unit = unit(_Small(**PRESETS["tiny"].as_dict()))
        super().__init__(
            {
                "start": In(1),
                "loss": In(_LOSS_BITS),
                "first": In(1),
                "epsilon": In(_EPSILON_BITS),
                "last": In(1),
                "reached": Out(3),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        no_reset(m)
        m.d.comb += [
            unit.run.start.eq(self.start),
            unit.loss.eq(self.loss),
            unit.first.eq(self.first),
            unit.epsilon.eq(self.epsilon),
            unit.last.eq(self.last),
        ]
        starts: list[Value] = [self.start]
        losses: list[Value] = [self.loss]
        for _ in range(2 * _LATENCY + _REST):
            starts.append(ago(m, starts[-1], 1))
            losses.append(ago(m, losses[-1], 1))
        m.d.comb += [
            Assume(~(self.start & Cat(starts[1:_LATENCY]).any())),
            Assert(unit.run.done == starts[_LATENCY]),
        ]
        loss = losses[_LATENCY]
        epsilon, first, last = (
            ago(m, each, _LATENCY) for each in (self.epsilon, self.first, self.last)
        )
        same, fell = 0, 0
        for rest in range(_REST + 1):
            before = 2 * _LATENCY + rest
            previous = losses[before]
            change = Mux(previous > loss, previous - loss, loss - previous)[:_LOSS_BITS]
            below = (change << _EPSILON_BITS) < epsilon * previous
            second = starts[_LATENCY] & starts[before] & ~Cat(starts[_LATENCY + 1 : before]).any()
            m.d.comb += Assert(~second | (unit.stop == (last | (below & ~first))))
            same |= second & ~last & unit.stop & (loss > previous)
            fell |= second & ~unit.stop & (loss < previous)
        m.d.comb += self.reached.eq(Cat(same, fell, starts[_LATENCY] & starts[2 * _LATENCY]))
        return m


PROOF = Proof(
    Convergence,
    f"losses of {_LOSS_BITS} bits and an epsilon of {_EPSILON_BITS}, all of them: done comes after"
    " the latency; a test that starts at most two cycles after the done before stops exactly where"
    " the definition says",
    _Properties,
    (
        ("Mux(fall.borrow, rise.below, fall.below)", "fall.below"),
        ("self.below.eq(product)", "self.below.eq(bit)"),
        ("with m.If(bit ^ product)", "with m.If(product)"),
        ("subtrahend, self.borrow))", "minuend, self.borrow))"),
        ("current.eq(current.rotate_right(1))", "current.eq(current >> 1)"),
        ("carried.eq(total >> 1)", "carried.eq(0)"),
        ("& ~first", ""),
        ("self.stop.eq(last | ", "self.stop.eq("),
    ),
    ("it stops though the loss rose", "it goes on as the loss fell", "a start with a done"),
    window=2 * _LATENCY + _REST,
    instead={"EPSILON_BITS": _EPSILON_BITS},
)
