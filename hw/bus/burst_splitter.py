"""Burst splitter: cuts a memory client's request into AXI bursts."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.stream_register import StreamRegister
from hw.bus.client import Request
from hw.config import REQUEST_BITS, EngineConfig


class Burst(data.StructLayout):
    """An INCR burst: ``address`` in bytes; ``length``, its beats less one, as AxLEN has it."""

    def __init__(self, config: EngineConfig):
        super().__init__({"address": config.address_bits, "length": 8})


class BurstSplitter(wiring.Component):
    """Cuts requests into bursts of at most ``beats``, none of which crosses a 4 KiB boundary.

    A burst ends where its request does, or where the address is a multiple of ``beats`` beats.
    Since these are a power of two and divide 4 KiB (`EngineConfig` sees to that) no other check of
    the boundary is needed; the price is at most one burst more than the fewest possible.

    Ports: ``request`` In stream of `Request` (0 beats are against its contract); ``burst`` Out
    stream of `Burst`; ``busy`` Out: some of what was accepted has not left yet.

    The first burst of a request taken on cycle 0 is valid from cycle `latency`. A burst a cycle,
    also across requests, of which two wait for the last burst of the one before. No path runs from
    a client through a splitter, nor back.
    """

    latency = StreamRegister.latency + 2

    def __init__(self, config: EngineConfig, beats: int):
        self._config = config
        self._beats = beats
        super().__init__(
            {
                "request": In(stream.Signature(Request(config))),
                "burst": Out(stream.Signature(Burst(config))),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        room_bits = exact_log2(self._beats)
        beat_shift = exact_log2(config.bus_bytes)
        line_shift = beat_shift + room_bits

        m.submodules.waiting = waiting = StreamRegister(Request(config))
        wiring.connect(m, wiring.flipped(self.request), waiting.i)
        request = waiting.o
        active = Signal()
        address = Signal(config.address_bits)
        left = Signal(REQUEST_BITS)  # Beats still to be cut, less one.

        # The beats up to the next multiple of `beats`, less one, are the inverse of the
        # address's place between two of them, so finding a burst's end takes no subtraction.
        room = ~address[beat_shift:line_shift]
        ends = Signal()
        step = Signal()
        m.d.comb += [
            ends.eq((left[room_bits:] == 0) & (left[:room_bits] <= room)),
            step.eq(~self.burst.valid | self.burst.ready),
            request.ready.eq(~active | (step & ends)),
            self.busy.eq(request.valid | active | self.burst.valid),
        ]
        with m.If(step):
            line = address[line_shift:]
            m.d.sync += [
                self.burst.valid.eq(active),
                self.burst.payload.address.eq(address),
                self.burst.payload.length.eq(Mux(ends, left[:room_bits], room)),
                address.eq(Cat(Const(0, line_shift), (line + 1)[: len(line)])),
                left.eq(left - room - 1),
            ]
        with m.If(request.ready):
            m.d.sync += [
                active.eq(request.valid),
                address.eq(request.payload.address),
                left.eq(request.payload.beats - 1),
            ]
        return m
