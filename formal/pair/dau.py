"""DAU: a distance element's step, in both arrangements of weights."""

from dataclasses import replace
from typing import Any

from amaranth.hdl import Assert, Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from formal.proof import Proof
from formal.windows import ago, no_reset
from hw.config import LARGEST_LEVEL, PRESETS, EngineConfig
from hw.pair.dau import DistanceElement
from hw.words import chunk_word, weight_word

_OWN = replace(PRESETS["tiny"], weight_bits=2)
_SHARED = replace(_OWN, scale_group=_OWN.channel_lanes)


class _Properties(wiring.Component):
    """A chunk a cycle; its weights, and whether it counts, come as late as the unit says."""

    def __init__(self, unit: Any, config: EngineConfig):
        self._unit, self._config = unit(config), config
        super().__init__(
            {
                "a": In(chunk_word(config)),
                "b": In(chunk_word(config)),
                "weight": In(weight_word(config)),
                "valid": In(1),
                "first": In(1),
                "limit": In(config.distance_bits),
                "reached": Out(3),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        no_reset(m)
        late = unit.latency - 1
        m.d.comb += [
            unit.a.eq(self.a),
            unit.b.eq(self.b),
            unit.weight.eq(ago(m, self.weight.as_value(), unit.weight_lag)),
            unit.valid.eq(ago(m, self.valid, late)),
            unit.first.eq(ago(m, self.first, late)),
            unit.limit.eq(self.limit),
        ]
        total: Value = ago(m, unit.distance, 1)
        valid, first = ago(m, self.valid, late + 1), ago(m, self.first, late + 1)
        due = Signal(self._config.distance_bits)
        m.d.comb += due.eq(Mux(first, 0, total) + ago(m, self._sum(m), late + 1))
        m.d.comb += [
            Assert(unit.distance == Mux(valid, due, total)),
            Assert(unit.beyond == (total > ago(m, self.limit, 1))),
            self.reached.eq(
                Cat(valid & first & due.any(), valid & ~first & (due > total), unit.beyond)
            ),
        ]
        return m

    def _sum(self, m: Module) -> Value:
        """The weighted squares of the chunk, each square looked up."""
        config = self._config
        parts = []
        for channel in range(config.channel_lanes):
            a, b = self.a[channel], self.b[channel]
            distance, square = Signal(4, name=f"gap_{channel}"), Signal(8, name=f"of_{channel}")
            m.d.comb += distance.eq(Mux(a < b, b - a, a - b))
            with m.Switch(distance):
                for gap in range(LARGEST_LEVEL + 1):
                    with m.Case(gap):
                        m.d.comb += square.eq(gap**2)
            parts.append(square * self.weight[channel // config.scale_group])
        return sum(parts[1:], parts[0])


_REACHED = ("a pair begins", "a chunk is added", "a distance is beyond its limit")
_BREAKS = (
    ("Mux(self.first, 0, self.distance)", "self.distance"),
    ("with m.If(self.valid):", "with m.If(1):"),
    ("(~carry).replicate(LEVEL_BITS)) + carry", "(~carry).replicate(LEVEL_BITS))"),
    ("self.distance > self.limit", "self.distance >= self.limit"),
)

OWN = Proof(
    DistanceElement,
    f"weights of {_OWN.weight_bits} bits, a weight a channel, all levels: a chunk that counts adds"
    f" the weighted squares of its {_OWN.channel_lanes} channels, to nothing if it is a pair's"
    " first; and which sums are beyond a limit",
    lambda unit: _Properties(unit, _OWN),
    (*_BREAKS, ("squared * self.weight[c]", "squared * self.weight[0]")),
    _REACHED,
    window=DistanceElement.latency + 2,
)
SHARED = Proof(
    DistanceElement,
    "the same with one weight for all channels of a chunk",
    lambda unit: _Properties(unit, _SHARED),
    (*_BREAKS, ("partial[0] + partial[1]", "partial[0] | partial[1]")),
    _REACHED,
    window=DistanceElement.latency + 2,
    slow=True,
)
