"""Sampler: its pipelined product."""

from dataclasses import replace
from typing import Any

from amaranth.hdl import Assert, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from formal.proof import Proof
from formal.windows import ago, no_reset
from hw.config import PRESETS, SEED_BITS
from hw.refine.sampler import Sampler

_CONFIG = replace(PRESETS["tiny"], max_tokens=8, max_dst=7)
_CYCLES = 4
"""Of the product: its digits, and a tree of eight."""


class _Properties(wiring.Component):
    """A draw and a number of tokens in every cycle, and nothing that holds the pipeline."""

    def __init__(self, unit: Any):
        self._unit = unit(_CONFIG)
        super().__init__({"draw": In(SEED_BITS), "left": In(_CONFIG.count_bits), "reached": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        no_reset(m)
        product = self._unit._product(m, Const(1), self.draw, self.left)
        due: Value = Const(0)
        for bit in range(_CONFIG.count_bits):
            after = Signal(SEED_BITS + _CONFIG.count_bits, name=f"due_{bit}")
            m.d.comb += after.eq(due + ((self.draw << bit) & self.left[bit].replicate(len(after))))
            due = after
        m.d.comb += [
            Assert(product == ago(m, due, _CYCLES)),
            self.reached.eq((product >> SEED_BITS).any() & product[0]),
        ]
        return m


PROOF = Proof(
    Sampler,
    f"every draw times every number of tokens of {_CONFIG.count_bits} bits, a product a cycle"
    " (which tokens are taken is held against the golden model)",
    _Properties,
    (
        ("low[shift:] + high", "low[shift:] | high"),
        ("shift = _DIGIT_BITS << level", "shift = _DIGIT_BITS"),
        (
            "with m.If(advance):\n                m.d.sync += stage",
            "with m.If(~advance):\n                m.d.sync += stage",
        ),
    ),
    ("a product of more bits than a draw",),
    window=_CYCLES,
)
