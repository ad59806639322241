"""Memory clients: what a unit sees of the memory that it reads and writes."""

from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.config import REQUEST_BITS, EngineConfig


class Request(data.StructLayout):
    """A run of consecutive beats in memory.

    Members: ``address`` in bytes, aligned to a beat; ``beats``, 1 to 2^20 - 1.
    """

    def __init__(self, config: EngineConfig):
        super().__init__({"address": config.address_bits, "beats": REQUEST_BITS})


class WriteBeat(data.StructLayout):
    """A beat to write. Members: ``data``; ``strobe``, a bit a byte: 1 writes it."""

    def __init__(self, config: EngineConfig):
        super().__init__({"data": config.bus_bits, "strobe": config.bus_bytes})


class ReadClient(wiring.Signature):
    """What a unit sees of the memory it reads: requests out, their beats in, in order.

    Members: ``request`` Out stream of `Request`; ``beat`` In stream of bus_bytes * 8 bits. The
    memory side may hold a request off, and answers after any number of cycles.
    """

    def __init__(self, config: EngineConfig):
        super().__init__(
            {
                "request": Out(stream.Signature(Request(config))),
                "beat": In(stream.Signature(config.bus_bits)),
            }
        )


class WriteClient(wiring.Signature):
    """What a unit sees of the memory it writes.

    Members: ``request`` Out stream of `Request`; ``beat`` Out stream of `WriteBeat`, as many as
    the requests announced, in order, at any time from the request on; ``idle`` In, 1 when
    everything accepted so far has been acknowledged by memory. A unit that reads back what it
    wrote, or reports done, waits for ``idle`` first; ``idle`` is 0 from the cycle after a request
    was accepted.
    """

    def __init__(self, config: EngineConfig):
        super().__init__(
            {
                "request": Out(stream.Signature(Request(config))),
                "beat": Out(stream.Signature(WriteBeat(config))),
                "idle": In(1),
            }
        )
