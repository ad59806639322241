"""UART transmitter: bytes onto a serial line."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.fpga.uart_rx import BYTE_BITS


class UartTransmitter(wiring.Component):
    """Puts bytes on a line: a start bit, 8 data bits from the lowest up, a stop bit, no parity.

    Ports: ``byte`` In stream of 8 bits; ``tx`` Out, the line, 1 while idle. A bit lasts ``divisor``
    cycles.

    A byte that is taken on cycle 0 begins on the line in cycle 1 and lasts 10 bits; the next one is
    taken in the last of their cycles.
    """

    def __init__(self, divisor: int):
        self._divisor = divisor
        super().__init__({"byte": In(stream.Signature(BYTE_BITS)), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        rest = Signal(BYTE_BITS + 1)  # What follows the bit on the line.
        wait = Signal(range(self._divisor))
        left = Signal(range(BYTE_BITS + 3))  # Bits to send, that on the line included.
        m.d.comb += self.byte.ready.eq((left == 0) | ((left == 1) & (wait == 0)))
        with m.If(self.byte.ready & self.byte.valid):
            m.d.sync += [
                self.tx.eq(0),
                rest.eq(Cat(self.byte.payload, 1)),
                wait.eq(self._divisor - 1),
                left.eq(BYTE_BITS + 2),
            ]
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.Elif(left != 0):
            m.d.sync += [
                self.tx.eq(rest[0]),
                rest.eq(Cat(rest[1:], 1)),
                wait.eq(self._divisor - 1),
                left.eq(left - 1),
            ]
        return m
