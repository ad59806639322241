"""Channel groups: reads the sorted channel records, and tells leaders and places."""

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.unpacker import Unpacker
from hw.config import RECORD_BITS, EngineConfig
from hw.quantize.fixed_point import SPAN_BITS

_CHANNEL_BITS = 20
CHANNEL_RECORD = data.StructLayout(
    {"channel": _CHANNEL_BITS, "inverted_span": RECORD_BITS - _CHANNEL_BITS}
)
"""As unsigned integers these sort by (largest span, lowest channel)."""


def channel_record(channel: Value, span: Value) -> Value:
    """A `CHANNEL_RECORD` in one piece, so that its constant bits stay known beyond a port."""

    def widened(value: Value, field: str) -> Value:
        return Cat(value, Const(0, CHANNEL_RECORD[field].width - len(value)))

    return Cat(widened(channel, "channel"), ~widened(span, "inverted_span"))


def channel_place(config: EngineConfig) -> data.StructLayout:
    """The ``position`` at which a ``channel`` stands, and whether it is the ``last`` of the row."""
    return data.StructLayout(
        {"position": config.channel_bits, "channel": config.channel_bits, "last": 1}
    )


class ChannelGroups(wiring.Component):
    """Gives each position its channel and its group's span (docs/definition.md, 'Shared scale').

    Ports:
        ``channels`` In: records to come, a multiple of G, constant while they do and in the cycle
            before.
        ``beat`` In stream: sorted `CHANNEL_RECORD` words.
        ``leader`` Out stream: the span of each group's first, largest, channel, in the order of
        the groups; the group's channels are placed after its transfer.
        ``place`` Out, always-ready stream of `channel_place`, in position order.

    A group takes G + 1 cycles, as ``leader`` takes one of them.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "channels": In(range(config.max_channels + 1)),
                "beat": In(stream.Signature(config.bus_bits)),
                "leader": Out(stream.Signature(SPAN_BITS)),
                "place": Out(stream.Signature(channel_place(config), always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        m.submodules.unpacker = unpacker = Unpacker(
            config.bus_bits, RECORD_BITS, config.max_channels
        )
        wiring.connect(m, wiring.flipped(self.beat), unpacker.beat)
        word = unpacker.word.payload
        record = data.View(CHANNEL_RECORD, word.data)
        place = self.place.payload

        led = Signal()
        begins = word.index[: exact_log2(config.scale_group)] == 0
        m.d.comb += [
            unpacker.words.eq(self.channels),
            self.leader.payload.eq(~record.inverted_span),
            self.leader.valid.eq(unpacker.word.valid & begins & ~led),
            unpacker.word.ready.eq(~begins | led),
            self.place.valid.eq(unpacker.word.valid & unpacker.word.ready),
            place.position.eq(word.index),
            place.channel.eq(record.channel),
            place.last.eq(word.last),
        ]
        with m.If(self.leader.valid & self.leader.ready):
            m.d.sync += led.eq(1)
        with m.Elif(self.place.valid):
            m.d.sync += led.eq(0)
        return m
