"""Stream queue: items pass in order, none is lost, and no offer is withdrawn."""

from formal.blocks.stream_register import Passes
from formal.proof import Proof
from hw.blocks.stream_queue import StreamQueue

_DEPTH = 4

PROOF = Proof(
    StreamQueue,
    f"items pass in order and unchanged, at most {_DEPTH} inside at a depth of as many",
    lambda unit: Passes(unit(3, _DEPTH), _DEPTH),
    (
        ("fifo.w_en.eq(self.i.valid)", "fifo.w_en.eq(self.i.valid & ~self.o.ready)"),
        ("fifo.r_en.eq(self.o.ready)", "fifo.r_en.eq(1)"),
        ("depth=self._depth", "depth=self._depth + 1"),
    ),
)
