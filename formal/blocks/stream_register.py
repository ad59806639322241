"""Stream register: items pass in order, and no offer is withdrawn."""

from formal.proof import Proof
from formal.streams import Passes
from hw.blocks.stream_register import StreamRegister

PROOF = Proof(
    StreamRegister,
    "items pass in order and unchanged; the first is offered, and there is room for two; offers"
    " stay",
    lambda unit: Passes(unit(3), 2, 0),
    (
        ("kept.eq(self.i.valid)", "kept.eq(0)"),
        ("m.Elif(~kept)", "m.Else()"),
        ("second.eq(self.i.payload)", "second.eq(self.o.payload)"),
        ("self.i.valid | kept", "self.i.valid"),
        ("~self.o.valid | self.o.ready", "self.o.ready | ~self.i.valid"),
        ("~self.o.valid | self.o.ready", "self.o.ready"),
        ("with m.If(~self.o.valid | self.o.ready)", "with m.If(1)"),
        ("with m.If(~self.o.valid | self.o.ready)", "with m.If(0)"),
        ("self.i.ready.eq(~kept)", "self.i.ready.eq(1)"),
        ("self.i.ready.eq(~kept)", "self.i.ready.eq(0)"),
    ),
    ("two items inside", "an item waits behind another"),
)
