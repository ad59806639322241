"""UART receiver: bytes from a serial line."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

BYTE_BITS = 8


class UartReceiver(wiring.Component):
    """Takes bytes from a line: a start bit, 8 data bits from the lowest up, a stop bit, no parity.

    Ports: ``rx`` In, the line, of any clock, 1 while idle; ``byte`` Out, always-ready stream of
    8 bits. A bit lasts ``divisor`` cycles, 4 or more; the sender's may last 3 % more or less from
    16 cycles up.

    Bits are sampled in their middle. A byte is offered for one cycle in the middle of its stop bit,
    and the next start bit may follow that at once. A byte without a stop bit is dropped, and what
    follows it until the line is 1 again; so is a start bit that has gone by its middle.
    """

    least_divisor = 4

    def __init__(self, divisor: int):
        if divisor < self.least_divisor:
            raise ValueError(
                f"divisor is {divisor}, but a bit must last {self.least_divisor} cycles or more"
            )
        self._divisor = divisor
        super().__init__(
            {
                "rx": In(1, init=1),
                "byte": Out(stream.Signature(BYTE_BITS, always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        line = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, line, init=1)
        wait = Signal(range(self._divisor))  # Cycles to the next sample.
        left = Signal(range(BYTE_BITS + 3))  # Bits to come, the start and the stop bit included.
        broken = Signal()  # The stop bit was missing, and the line has been 0 since.
        m.d.sync += self.byte.valid.eq(0)
        with m.If(left == 0):
            m.d.sync += [left.eq(Mux(line, 0, BYTE_BITS + 2)), wait.eq(self._divisor // 2 - 1)]
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.Else():
            m.d.sync += [wait.eq(self._divisor - 1), left.eq(left - 1)]
            with m.If((left == BYTE_BITS + 2) & line):
                m.d.sync += left.eq(0)
            with m.Elif(left == 1):
                m.d.sync += [self.byte.valid.eq(line & ~broken), broken.eq(~line)]
                with m.If(~line):
                    m.d.sync += [wait.eq(0), left.eq(1)]
            with m.Else():
                m.d.sync += self.byte.payload.eq(Cat(self.byte.payload[1:], line))
        return m
