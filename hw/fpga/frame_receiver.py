"""Frame receiver: finds whole requests in the bytes of a line."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.crc.catalog import CRC16_X25
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.blocks.lookup import Lookup, answer
from hw.fpga.protocol import ESCAPE, FCS_BYTES, FLAG, FLIP, LONGEST_FRAME, SHORTEST_FRAME


class FrameReceiver(wiring.Component):
    """Holds a frame whose check sequence is right, and drops everything else.

    Between two flags, a frame that is shorter or longer than requests are or whose check sequence
    is wrong, and bytes that no flag came before, leave no trace: the next flag begins anew.

    Ports: ``byte`` In, always-ready stream of 8 bits, one a cycle at most; ``held`` Out: a frame is
    here, from the cycle after its closing flag until ``release`` In is 1; ``length`` Out: its
    bytes, without the check sequence; ``content`` In `Lookup`: one of them. While a frame is held,
    bytes are dropped; after it, the next frame needs an opening flag of its own.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "byte": In(stream.Signature(8, always_ready=True)),
                "held": Out(1),
                "length": Out(range(LONGEST_FRAME + 1)),
                "content": In(Lookup(range(LONGEST_FRAME), 8)),
                "release": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        m.submodules.memory = memory = Memory(shape=8, depth=LONGEST_FRAME, init=[])
        m.submodules.check = check = CRC16_X25(data_width=8).create()
        write = memory.write_port()
        answer(m, self.content, memory.read_port())

        inside = Signal()  # A flag has come, and what follows may be a frame.
        escaped = Signal()
        count = Signal(range(LONGEST_FRAME + 1))
        value = Signal(8)
        m.d.comb += [
            value.eq(self.byte.payload ^ Mux(escaped, FLIP, 0)),
            write.addr.eq(count),
            write.data.eq(value),
            check.data.eq(value),
        ]
        with m.If(self.release):
            m.d.sync += self.held.eq(0)
        with m.If(self.byte.valid & ~self.held):
            with m.If(self.byte.payload == FLAG):
                whole = (count >= SHORTEST_FRAME) & check.match_detected & ~escaped
                with m.If(inside & whole):
                    m.d.sync += [
                        self.held.eq(1),
                        self.length.eq(count - FCS_BYTES),
                        inside.eq(0),
                    ]
                with m.Else():
                    m.d.sync += inside.eq(1)
                m.d.comb += check.start.eq(1)
                m.d.sync += [escaped.eq(0), count.eq(0)]
            with m.Elif(inside):
                with m.If(self.byte.payload == ESCAPE):
                    m.d.sync += escaped.eq(1)
                with m.Elif(count == LONGEST_FRAME):
                    m.d.sync += inside.eq(0)
                with m.Else():
                    m.d.comb += [write.en.eq(1), check.valid.eq(1)]
                    m.d.sync += [escaped.eq(0), count.eq(count + 1)]
        return m
