"""Links: the groups of the dst slots as linked lists that pairing leaves behind."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.blocks.lookup import Lookup, answer
from hw.config import EngineConfig
from hw.words import link


def group(config: EngineConfig) -> data.StructLayout:
    """A slot's list: ``count`` of src, and the ``head``, the last one pushed."""
    return data.StructLayout({"count": config.count_bits, "head": config.token_bits})


def group_lookup(config: EngineConfig) -> Lookup:
    """How a slot's `group` is asked for."""
    return Lookup(config.slot_bits, group(config))


def next_lookup(config: EngineConfig) -> Lookup:
    """How the src that was pushed before a src is asked for."""
    return Lookup(config.token_bits, config.token_bits)


class Links(wiring.Component):
    """A list of src tokens for each dst slot, built by pushes and walked by the dst update.

    Ports:
        ``clear`` In pulse: empties the lists of slots 0 to num_dst - 1, in num_dst cycles;
            ``num_dst`` In stays as it is and ``clearing`` Out is 1 until then, and pushes wait.
        ``push`` In stream of ``slot``, ``src``: makes src the head of the slot's list. One push
            every 2 cycles: the head is read, then written.
        ``group`` In `group_lookup`: a slot's list; an empty one has no head. Not while pushes run.
        ``next`` In `next_lookup`: the src pushed to the same slot before a src.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "clear": In(1),
                "num_dst": In(config.count_bits),
                "clearing": Out(1),
                "push": In(stream.Signature(link(config))),
                "group": In(group_lookup(config)),
                "next": In(next_lookup(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        m.submodules.heads = heads = Memory(shape=group(config), depth=config.max_dst, init=[])
        m.submodules.nexts = nexts = Memory(
            shape=config.token_bits, depth=config.max_tokens, init=[]
        )
        head_write, head_read = heads.write_port(), heads.read_port()
        next_write = nexts.write_port()
        answer(m, self.group, head_read)
        answer(m, self.next, nexts.read_port())

        cleared = Signal(config.count_bits)
        have_head = Signal()
        push = self.push.payload
        m.d.comb += [
            next_write.addr.eq(push.src),
            next_write.data.eq(head_read.data.head),
        ]
        with m.If(self.clear):
            m.d.sync += [self.clearing.eq(1), cleared.eq(0), have_head.eq(0)]
        with m.Elif(self.clearing):
            m.d.comb += [head_write.en.eq(1), head_write.addr.eq(cleared)]
            m.d.sync += cleared.eq(cleared + 1)
            with m.If(cleared == self.num_dst - 1):
                m.d.sync += self.clearing.eq(0)
        with m.Elif(self.push.valid):
            m.d.comb += head_read.addr.eq(push.slot)
            m.d.sync += have_head.eq(~have_head)
            with m.If(have_head):
                m.d.comb += [
                    self.push.ready.eq(1),
                    head_write.en.eq(1),
                    head_write.addr.eq(push.slot),
                    head_write.data.count.eq(head_read.data.count + 1),
                    head_write.data.head.eq(push.src),
                    next_write.en.eq(1),
                ]
        return m
