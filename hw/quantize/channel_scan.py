"""Channel scan: walks the channel statistics and gives each channel's span."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.credit_queue import CreditQueue
from hw.blocks.pipeline import delay
from hw.config import VALUE_BITS, EngineConfig
from hw.quantize.channel_stats import stats_lookup
from hw.quantize.fixed_point import SPAN_BITS, FixedPointDifference, exponent_bits, exponent_of

_LARGEST_FP16_EXPONENT = 30


class ChannelScan(wiring.Component):
    """The span R of every channel in fixed point, in channel order.

    Source: docs/definition.md, 'Quantise'.

    FP16 values are exact in units of 2^-24. For BF16 the unit follows from the largest exponent of
    a channel that varies, so a walk that ``measure`` asks for comes before the spans'.

    Ports:
        ``start`` In pulse, while no span is left to come; ``measure`` In, with it: find
        ``exponent`` and ``largest`` anew, else keep them.
        ``row_beats`` In: words of the statistics, constant from ``start`` on.
        ``stats`` Out `stats_lookup`.
        ``exponent`` Out: the biased exponent that fixes the unit.
        ``largest`` Out: R_max, valid from the last span on.
        ``span`` Out stream of ``span`` and ``last`` (of the walk), one for each channel.

    The first span is offered `latency` cycles after the walk begins, then one a cycle; see
    `cycles`. The channels that pad a row have span 0, as the host pads rows with zeros.
    """

    _pipeline = 2 + FixedPointDifference.latency
    latency = _pipeline + 2

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "start": In(1),
                "measure": In(1),
                "row_beats": In(range(config.max_token_row_beats + 1)),
                "stats": Out(stats_lookup(config)),
                "exponent": Out(exponent_bits(config), init=1),
                "largest": Out(SPAN_BITS),
                "span": Out(stream.Signature(data.StructLayout({"span": SPAN_BITS, "last": 1}))),
            }
        )

    @classmethod
    def cycles(cls, config: EngineConfig, channels: int, *, measure: bool) -> int:
        """Cycles from ``start`` to the last span's transfer, without back-pressure."""
        exponent_walk = channels + 4 if measure and config.token_format == "bf16" else 0
        return exponent_walk + channels + cls.latency

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        m.submodules.difference = difference = FixedPointDifference(config)
        m.submodules.queue = queue = CreditQueue(
            self.span.payload.shape(), CreditQueue.depth_for(self._pipeline)
        )

        # On cycle 0 a channel's word is asked for.
        lane_bits = exact_log2(config.values_per_beat)
        channel = Signal(len(self.stats.index) + lane_bits)
        walk = Signal()
        last = channel == Cat(Const(0, lane_bits), self.row_beats) - 1
        m.d.comb += self.stats.index.eq(channel[lane_bits:])
        with m.If(walk):
            m.d.sync += channel.eq(Mux(last, 0, channel + 1))

        # On cycle 1 the channel is picked from it, on cycle 2 its values are known.
        lane = delay(m, channel[:lane_bits], 1, "lane")
        picked = self.stats.entry.as_value().word_select(lane, 2 * VALUE_BITS)
        values = delay(m, picked, 1, "values")
        low, high = values[:VALUE_BITS], values[VALUE_BITS:]

        spans = Signal()
        m.d.comb += [
            difference.upper.eq(high),
            difference.lower.eq(low),
            difference.exponent.eq(self.exponent),
            queue.take.eq(walk & spans),
            queue.i.valid.eq(delay(m, queue.take, self._pipeline, "valid")),
            queue.i.payload.span.eq(difference.difference),
            queue.i.payload.last.eq(delay(m, last, self._pipeline, "last")),
        ]
        wiring.connect(m, queue.o, wiring.flipped(self.span))
        with m.If(queue.i.valid & (difference.difference > self.largest)):
            m.d.sync += self.largest.eq(difference.difference)

        measures = config.token_format == "bf16"
        on_the_way: Value = Const(0)
        if measures:
            on_the_way = self._find_exponent(m, walk & ~spans, low, high)
        else:
            m.d.comb += self.exponent.eq(_LARGEST_FP16_EXPONENT)
        with m.If(self.start & self.measure):
            m.d.sync += self.largest.eq(0)
        with m.FSM():
            with m.State("IDLE"), m.If(self.start):
                m.next = "SPANS"
                if measures:
                    with m.If(self.measure):
                        m.next = "EXPONENT"
            if measures:
                with m.State("EXPONENT"):
                    m.d.comb += walk.eq(1)
                    with m.If(last):
                        m.next = "SETTLE"
                with m.State("SETTLE"), m.If(~on_the_way):
                    m.next = "SPANS"
            with m.State("SPANS"):
                m.d.comb += [spans.eq(1), walk.eq(queue.room)]
                with m.If(walk & last):
                    m.next = "IDLE"
        return m

    def _find_exponent(self, m: Module, valid: Value, low: Value, high: Value) -> Value:
        """Take the channels of this walk into ``exponent``; 1 while some are on their way."""
        low_exponent = exponent_of(self._config, low)
        high_exponent = exponent_of(self._config, high)
        # The values are known on cycle 2; -0 was made +0, so equal values have equal bits.
        candidate = Signal.like(self.exponent)
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
