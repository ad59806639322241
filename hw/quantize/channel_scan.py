"""Channel scan: walks the bounds of the channels and gives each channel's span."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.pipeline import delay
from hw.config import VALUE_BITS, EngineConfig
from hw.quantize.fixed_point import (
    LARGEST_FP16_EXPONENT,
    SPAN_BITS,
    FixedPointDifference,
    exponent_bits,
    exponent_of,
    key_value,
)
from hw.quantize.lanes import bounds_lookup, max_words, trail


def channel_span(config: EngineConfig) -> data.StructLayout:
    """The ``span`` of a ``channel``, and whether it is the ``last`` of the row."""
    return data.StructLayout({"channel": config.channel_bits, "span": SPAN_BITS, "last": 1})


class ChannelScan(wiring.Component):
    """The span R of every channel in fixed point, in channel order.

    Source: docs/definition.md, 'Quantise'.

    FP16 values are exact in units of 2^-24. For BF16 the unit follows from the largest exponent of
    a channel that varies, so a walk that ``measure`` asks for comes before the spans'.

    Ports:
        ``start`` In pulse, while no span is left to come; ``measure`` In, with it: find
        ``exponent`` anew, else keep it.
        ``words`` In: those of a row, constant from ``start`` on.
        ``bounds`` Out `bounds_lookup`.
        ``exponent`` Out: the biased exponent that fixes the unit.
        ``span`` Out stream of `channel_span`.

    A span is offered `latency` cycles after the one before was taken, or after the walk for the
    exponent, of a channel a cycle; see `cycles`. The channels that pad a row have span 0, as the
    host pads rows with zeros.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "start": In(1),
                "measure": In(1),
                "words": In(range(max_words(config) + 1)),
                "bounds": Out(bounds_lookup(config)),
                "exponent": Out(exponent_bits(config), init=1),
                "span": Out(stream.Signature(channel_span(config))),
            }
        )

    @staticmethod
    def latency(config: EngineConfig) -> int:
        """Cycles of a span: nothing waits for the next, so that none need be queued."""
        return 3 + FixedPointDifference.latency(config)

    @classmethod
    def cycles(cls, config: EngineConfig, channels: int, *, measure: bool) -> int:
        """Cycles from ``start`` to the last span's transfer, without back-pressure."""
        exponent_walk = channels + 4 if measure and config.token_format == "bf16" else 0
        return exponent_walk + channels * cls.latency(config)

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config, span = self._config, self.span.payload
        m.submodules.difference = difference = FixedPointDifference(config)

        # On cycle 0 a channel's word is asked for, on cycle 1 the channel is picked from it, and on
        # cycle 2 its values are known.
        lane_bits = exact_log2(config.quantize_lanes)
        channel = Signal(config.channel_bits)
        step = Signal()
        last = channel == Cat(Const(0, lane_bits), self.words) - 1
        m.d.comb += self.bounds.index.eq(channel[lane_bits:])
        with m.If(step):
            m.d.sync += channel.eq(Mux(last, 0, channel + 1))
        lane = trail(m, channel[:lane_bits], 1, "lane")
        picked = self.bounds.entry.as_value().word_select(lane, 2 * VALUE_BITS)
        keys = trail(m, picked, 1, "keys")
        low, high = key_value(keys[:VALUE_BITS]), key_value(keys[VALUE_BITS:])
        m.d.comb += [
            difference.upper.eq(high),
            difference.lower.eq(low),
            difference.exponent.eq(self.exponent),
            span.channel.eq(channel),
            span.span.eq(difference.difference),
            span.last.eq(last),
        ]

        measures = config.token_format == "bf16"
        walk = Signal()
        on_the_way: Value = Const(0)
        if measures:
            on_the_way = self._find_exponent(m, walk, low, high)
        else:
            m.d.comb += self.exponent.eq(LARGEST_FP16_EXPONENT)
        age = Signal(range(self.latency(config)))
        with m.FSM():
            with m.State("IDLE"), m.If(self.start):
                m.next = "SPANS"
                if measures:
                    with m.If(self.measure):
                        m.next = "EXPONENT"
            if measures:
                with m.State("EXPONENT"):
                    m.d.comb += [walk.eq(1), step.eq(1)]
                    with m.If(last):
                        m.next = "SETTLE"
                with m.State("SETTLE"), m.If(~on_the_way):
                    m.next = "SPANS"
            with m.State("SPANS"):
                with m.If(age != self.latency(config) - 1):
                    m.d.sync += age.eq(age + 1)
                with m.Else():
                    m.d.comb += self.span.valid.eq(1)
                    with m.If(self.span.ready):
                        m.d.comb += step.eq(1)
                        m.d.sync += age.eq(0)
                        with m.If(last):
                            m.next = "IDLE"
        return m

    def _find_exponent(self, m: Module, valid: Value, low: Value, high: Value) -> Value:
        """Take the channels of this walk into ``exponent``; 1 while some are on their way."""
        low_exponent = exponent_of(self._config, low)
        high_exponent = exponent_of(self._config, high)
        # The values are known on cycle 2; -0 was made +0, so equal values have equal bits.
        candidate = Signal.like(self.exponent, init=0, reset_less=True)
        with m.If(low == high):
            m.d.sync += candidate.eq(0)
        with m.Else():
            m.d.sync += candidate.eq(Mux(low_exponent > high_exponent, low_exponent, high_exponent))
        valid_1 = delay(m, valid, 1, "measured")
        valid_2 = delay(m, valid_1, 1, "measured_twice")
        valid_3 = delay(m, valid_2, 1, "measured_thrice")
        with m.If(self.start & self.measure):
            m.d.sync += self.exponent.eq(1)
        with m.Elif(valid_3 & (candidate > self.exponent)):
            m.d.sync += self.exponent.eq(candidate)
        return valid_1 | valid_2 | valid_3
