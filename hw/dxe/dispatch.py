"""Dispatch: instructions to units, each when those that it needs have ended."""

from collections.abc import Mapping

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.stream_queue import StreamQueue

QUEUE = 4
"""Instructions that wait for a unit while others go on."""
TELLING = 8
"""Instructions of a unit that tell, under way at once."""
MOST_TOKENS = 15
"""That a unit may have from another one; a program must not give more."""


class Dispatch(wiring.Component):
    """A program's instructions, in order for each unit, and between units as tokens allow.

    An instruction goes to its unit when it is that one's next and the unit has a token of each unit
    in ``needs``, which it uses up. When the unit tells that it has ended, each unit in ``tells``
    gets a token of it.

    Ports: ``instruction`` In, stream of `instruction_layout`; of each unit a stream of its bodies
    Out, by its name, which `QUEUE` instructions wait for; and ``NAME_told`` In: the oldest of its
    instructions whose body's ``tells`` is 1 has ended. ``idle`` Out: no instruction waits. An
    instruction is offered two cycles after it came, or the cycle after its last token.

    Args:
        bodies: the layout of each unit's instructions, by its name; a bit ``tells`` of each is put
            here.
    """

    latency = 2

    def __init__(self, bodies: Mapping[str, data.StructLayout]):
        self._bodies = dict(bodies)
        self.instruction_layout = data.StructLayout(
            {
                "unit": range(len(bodies)),
                "needs": len(bodies),
                "tells": len(bodies),
                "body": data.UnionLayout(self._bodies),
            }
        )
        super().__init__(
            {
                "instruction": In(stream.Signature(self.instruction_layout)),
                "idle": Out(1),
                **{name: Out(stream.Signature(body)) for name, body in self._bodies.items()},
                **{f"{name}_told": In(1) for name in self._bodies},
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        names = list(self._bodies)
        given = self.instruction.payload
        waiting = []
        gives = [Signal(len(names), name=f"gives_{name}") for name in names]
        for index, name in enumerate(names):
            body = self._bodies[name]
            entry = data.StructLayout({"needs": len(names), "tells": len(names), "body": body})
            m.submodules[f"queue_{name}"] = queue = StreamQueue(entry, QUEUE)
            m.submodules[f"telling_{name}"] = telling = StreamQueue(len(names), TELLING)
            ours = given.unit == index
            m.d.comb += [
                queue.i.valid.eq(self.instruction.valid & ours),
                queue.i.payload.needs.eq(given.needs),
                queue.i.payload.tells.eq(given.tells),
                queue.i.payload.body.eq(given.body[name]),
            ]
            with m.If(ours):
                m.d.comb += self.instruction.ready.eq(queue.i.ready)

            tokens = [
                Signal(range(MOST_TOKENS + 1), name=f"tokens_{name}_of_{other}") for other in names
            ]
            head, unit = queue.o.payload, getattr(self, name)
            has = Cat(count != 0 for count in tokens)
            tells = head.tells.any()
            takes = unit.valid & unit.ready
            m.d.comb += [
                unit.payload.eq(head.body),
                unit.payload.tells.eq(tells),
                unit.valid.eq(
                    queue.o.valid & ((head.needs & ~has) == 0) & (telling.i.ready | ~tells)
                ),
                queue.o.ready.eq(takes),
                telling.i.valid.eq(takes & tells),
                telling.i.payload.eq(head.tells),
                telling.o.ready.eq(getattr(self, f"{name}_told")),
                gives[index].eq(telling.o.payload & telling.o.ready.replicate(len(names))),
            ]
            for other, count in enumerate(tokens):
                m.d.sync += count.eq(count + gives[other][index] - (takes & head.needs[other]))
            waiting.append(queue.o.valid)
        m.d.comb += self.idle.eq(~(Cat(waiting).any() | self.instruction.valid))
        return m
