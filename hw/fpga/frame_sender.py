"""Frame sender: puts flags, escapes and a check sequence around a reply."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.crc.catalog import CRC16_X25
from amaranth.lib.wiring import In, Out

from hw.fpga.protocol import ESCAPE, FLAG, FLIP

FrameByte = data.StructLayout({"value": 8, "last": 1})
"""A byte of a frame without its check sequence, and whether it is the last one."""


class FrameSender(wiring.Component):
    """Sends frames: a flag, the bytes that come, their check sequence, a flag.

    Ports: ``item`` In stream of `FrameByte`; ``byte`` Out stream of 8 bits. A byte a cycle, and one
    more for each that is escaped; the flag in front goes out while the first byte waits.
    """

    def __init__(self) -> None:
        super().__init__(
            {"item": In(stream.Signature(FrameByte)), "byte": Out(stream.Signature(8))}
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        item, byte = self.item, self.byte
        m.submodules.check = check = CRC16_X25(data_width=8).create()
        m.d.comb += check.data.eq(item.payload.value)
        value = Signal(8)
        escaped = Signal()  # The escape before ``value`` has gone out.
        sent = Signal()

        def send(content: Signal) -> None:
            """Send a byte of the frame; ``sent`` is 1 in the cycle in which it is taken."""
            m.d.comb += value.eq(content)
            with m.If(((value == FLAG) | (value == ESCAPE)) & ~escaped):
                m.d.comb += byte.payload.eq(ESCAPE)
                m.d.sync += escaped.eq(byte.valid & byte.ready)
            with m.Else():
                m.d.comb += [
                    byte.payload.eq(value ^ Mux(escaped, FLIP, 0)),
                    sent.eq(byte.valid & byte.ready),
                ]
            with m.If(sent):
                m.d.sync += escaped.eq(0)

        with m.FSM():
            with m.State("OPEN"):
                m.d.comb += [byte.payload.eq(FLAG), byte.valid.eq(item.valid), check.start.eq(1)]
                with m.If(byte.valid & byte.ready):
                    m.next = "BODY"
            with m.State("BODY"):
                m.d.comb += byte.valid.eq(item.valid)
                send(item.payload.value)
                m.d.comb += [item.ready.eq(sent), check.valid.eq(sent)]
                with m.If(sent & item.payload.last):
                    m.next = "CHECK_LOW"
            for state, low, following in (("LOW", 0, "CHECK_HIGH"), ("HIGH", 8, "CLOSE")):
                with m.State(f"CHECK_{state}"):
                    m.d.comb += byte.valid.eq(1)
                    send(check.crc[low : low + 8])
                    with m.If(sent):
                        m.next = following
            with m.State("CLOSE"):
                m.d.comb += [byte.payload.eq(FLAG), byte.valid.eq(1)]
                with m.If(byte.ready):
                    m.next = "OPEN"
        return m
