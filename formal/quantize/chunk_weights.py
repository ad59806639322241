"""Chunk weights: which weights are a chunk's, and when a row is complete."""

from typing import Any

from amaranth.hdl import Assert, Assume, Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from formal.proof import Proof
from formal.streams import comes_in
from hw.config import PRESETS
from hw.quantize.chunk_weights import ChunkWeights

_CONFIG = PRESETS["tiny"]
_WEIGHTS = _CONFIG.channel_lanes // _CONFIG.scale_group


class _Properties(wiring.Component):
    """Weights come after a start, as many as the row has; the next row begins when it is done."""

    def __init__(self, unit: Any):
        self._unit = unit(_CONFIG)
        super().__init__(
            {
                "start": In(1),
                "chunks": In(range(_CONFIG.max_chunks + 1)),
                "weight": In(stream.Signature(_CONFIG.weight_bits)),
                "reached": Out(2),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        comes_in(m, self.weight, unit.weight)
        chunks, to_come = Signal.like(self.chunks), Signal(range(_CONFIG.max_chunks * _WEIGHTS + 1))
        held = Signal(_WEIGHTS * _CONFIG.weight_bits)
        place, index = Signal(range(_WEIGHTS)), Signal(range(_CONFIG.max_chunks + 1))
        due, complete = Signal(), Signal()
        came = unit.weight.valid & unit.weight.ready
        m.d.comb += [
            unit.start.eq(self.start),
            unit.chunks.eq(self.chunks),
            Assume(self.start | (self.chunks == chunks)),
            Assume((self.chunks >= 1) & (self.chunks <= _CONFIG.max_chunks)),
            Assume(~self.start | ((to_come == 0) & ~due)),
            Assume(~self.weight.valid | (to_come != 0)),
            # A weight a cycle.
            Assert(unit.weight.ready),
            Assert(unit.chunk.valid == due),
            Assert(unit.complete == complete),
        ]
        m.d.sync += [chunks.eq(self.chunks), due.eq(0)]
        with m.If(came):
            m.d.sync += [
                held.eq(Cat(held, unit.weight.payload)[_CONFIG.weight_bits :]),
                to_come.eq(to_come - 1),
                place.eq(place + 1),
                due.eq(place == _WEIGHTS - 1),
            ]
            with m.If(place == _WEIGHTS - 1):
                m.d.sync += place.eq(0)
        with m.If(due):
            m.d.comb += [
                Assert(unit.chunk.payload.index == index),
                Assert(unit.chunk.payload.weights.as_value() == held),
            ]
            m.d.sync += [index.eq(index + 1), complete.eq(index == chunks - 1)]
        with m.If(self.start):
            m.d.sync += [to_come.eq(self.chunks * _WEIGHTS), index.eq(0), complete.eq(0)]
        again = Signal()
        with m.If(complete & self.start):
            m.d.sync += again.eq(1)
        m.d.comb += self.reached.eq(Cat(complete & (chunks == 3), again & complete & (chunks == 1)))
        return m


PROOF = Proof(
    ChunkWeights,
    f"rows of any number of chunks, {_WEIGHTS} weights each: every chunk is offered once, a cycle"
    " after its last weight, with its number and its weights, and the row is complete a cycle"
    " after its last chunk; a weight a cycle",
    _Properties,
    (
        ("chunk.index.eq(0), ", ""),
        ("self.complete.eq(0)", "self.complete.eq(self.complete)"),
        ("chunk.index == self.chunks - 1", "chunk.index == self.chunks"),
        ("chunk.index + 1", "chunk.index + 2"),
        ("packer.beat.ready.eq(1)", "packer.beat.ready.eq(self.weight.valid)"),
    ),
    ("a row of three chunks is complete", "a row of one after another"),
    slow=True,
)
