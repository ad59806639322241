"""Dst table: which token each slot holds, and which tokens are dst."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.config import EngineConfig


def assignment(config: EngineConfig) -> data.StructLayout:
    """A slot's new dst token, and the one that it replaces where ``replaces`` is 1."""
    return data.StructLayout(
        {
            "slot": config.slot_bits,
            "token": config.token_bits,
            "old": config.token_bits,
            "replaces": 1,
        }
    )


class DstTable(wiring.Component):
    """The ordered dst list, and a bit a token that says whether it is a dst.

    Ports:
        ``clear`` In pulse: marks tokens 0 to tokens - 1 as src, in ``tokens`` cycles; ``tokens``
            In stays as it is and ``clearing`` Out is 1 until then, and assignments wait.
        ``assign`` In stream of `assignment`: the slot holds the token from the next cycle on. Two
            cycles each where it replaces a token, one otherwise.
        ``slot`` In: ``token`` Out, a cycle later.
        ``index`` In: ``is_dst`` Out, a cycle later.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "clear": In(1),
                "tokens": In(config.count_bits),
                "clearing": Out(1),
                "assign": In(stream.Signature(assignment(config))),
                "slot": In(config.slot_bits),
                "token": Out(config.token_bits),
                "index": In(config.token_bits),
                "is_dst": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        m.submodules.dst = dst = Memory(shape=config.token_bits, depth=config.max_dst, init=[])
        m.submodules.marks = marks = Memory(shape=1, depth=config.max_tokens, init=[])
        dst_write, dst_read = dst.write_port(), dst.read_port()
        mark_write, mark_read = marks.write_port(), marks.read_port()

        cleared = Signal(config.count_bits)
        unmarked = Signal()
        assign = self.assign.payload
        m.d.comb += [
            dst_read.addr.eq(self.slot),
            self.token.eq(dst_read.data),
            mark_read.addr.eq(self.index),
            self.is_dst.eq(mark_read.data),
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
