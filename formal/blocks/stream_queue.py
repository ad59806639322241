"""Stream queue: items pass in order, none is lost, and no offer is withdrawn."""

from formal.proof import Proof
from formal.streams import Passes
from hw.blocks.stream_queue import StreamQueue

_DEPTH = 4

PROOF = Proof(
    StreamQueue,
    f"items pass in order and unchanged, the first is offered a cycle later; room for {_DEPTH - 1},"
    f" never for more than its depth, {_DEPTH}; offers stay",
    lambda unit: Passes(unit(3, _DEPTH), _DEPTH, 1, spare=1),
    (
        ("fifo.w_en.eq(self.i.valid)", "fifo.w_en.eq(self.i.valid & ~self.o.ready)"),
        ("fifo.r_en.eq(self.o.ready)", "fifo.r_en.eq(1)"),
        ("depth=self._depth", "depth=self._depth + 1"),
        ("depth=self._depth", "depth=self._depth - 2"),
        ("fifo.w_en.eq(self.i.valid)", "fifo.w_en.eq(0)"),
        ("self.o.valid.eq(fifo.r_rdy)", "self.o.valid.eq(fifo.r_rdy & (fifo.level > 1))"),
        ("self.o.valid.eq(fifo.r_rdy)", "self.o.valid.eq(fifo.r_rdy & ~self.i.valid)"),
        ("self.i.ready.eq(fifo.w_rdy)", "self.i.ready.eq(0)"),
    ),
    ("full", "an item waits behind another"),
)
