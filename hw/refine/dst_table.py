"""Dst table: which token each slot holds, and which tokens are dst."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.blocks.lookup import answer
from hw.config import EngineConfig
from hw.words import assignment, dst_lookup, is_dst_lookup


class DstTable(wiring.Component):
    """The ordered dst list, and a bit a token that says whether it is a dst.

    Ports:
        ``clear`` In pulse: marks tokens 0 to tokens - 1 as src, in ``tokens`` cycles; ``tokens``
            In stays as it is and ``clearing`` Out is 1 until then, and assignments wait.
        ``assign`` In stream of `assignment`: the slot holds the token from the next cycle on. Two
            cycles each where it replaces a token, one otherwise.
        ``dst`` In `dst_lookup`; ``is_dst`` In `is_dst_lookup`.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "clear": In(1),
                "tokens": In(config.count_bits),
                "clearing": Out(1),
                "assign": In(stream.Signature(assignment(config))),
                "dst": In(dst_lookup(config)),
                "is_dst": In(is_dst_lookup(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        m.submodules.dst = dst = Memory(shape=config.token_bits, depth=config.max_dst, init=[])
        m.submodules.marks = marks = Memory(shape=1, depth=config.max_tokens, init=[])
        dst_write, mark_write = dst.write_port(), marks.write_port()
        answer(m, self.dst, dst.read_port())
        answer(m, self.is_dst, marks.read_port())

        cleared = Signal(config.count_bits)
        unmarked = Signal()
        assign = self.assign.payload
        m.d.comb += [
            dst_write.addr.eq(assign.slot),
            dst_write.data.eq(assign.token),
        ]
        with m.If(self.clear):
            m.d.sync += [self.clearing.eq(1), cleared.eq(0), unmarked.eq(0)]
        with m.Elif(self.clearing):
            m.d.comb += [mark_write.en.eq(1), mark_write.addr.eq(cleared)]
            m.d.sync += cleared.eq(cleared + 1)
            with m.If(cleared == self.tokens - 1):
                m.d.sync += self.clearing.eq(0)
        with m.Elif(self.assign.valid):
            m.d.comb += mark_write.en.eq(1)
            with m.If(assign.replaces & ~unmarked):
                m.d.comb += mark_write.addr.eq(assign.old)
                m.d.sync += unmarked.eq(1)
            with m.Else():
                m.d.comb += [
                    mark_write.addr.eq(assign.token),
                    mark_write.data.eq(1),
                    dst_write.en.eq(1),
                    self.assign.ready.eq(1),
                ]
                m.d.sync += unmarked.eq(0)
        return m
