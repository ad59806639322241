"""Quantizer: levels of token values, a pipelined division a lane."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.pipeline import delay
from hw.config import LEVEL_BITS, VALUE_BITS, EngineConfig
from hw.quantize.fast_sum import fast_sum
from hw.quantize.fixed_point import SPAN_BITS, FixedPointDifference, exponent_bits
from hw.quantize.lanes import level_word, trail, values_of

_REACH = SPAN_BITS + 1
"""Bits of R less or more than anything as large."""

_STEPS = max(LEVEL_BITS - 1, 2)
"""Cycles from twice the difference to the last bit of a level but one: a bit each, at least two."""


class QuantizerLane(wiring.Component):
    """``level = (30 (X - X_lo) + R) div 2R``, 0 where R = 0, of one channel a cycle.

    Ports: ``value``, ``low`` In 16-bit values, low <= value; ``exponent`` In, see
    `FixedPointDifference`; ``span`` In, R, on cycle `span_cycle` of its value; ``level`` Out, on
    cycle `latency`. X - X_lo must be at most R. No back-pressure.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "value": In(VALUE_BITS),
                "low": In(VALUE_BITS),
                "span": In(SPAN_BITS),
                "exponent": In(exponent_bits(config)),
                "level": Out(LEVEL_BITS),
            }
        )

    @staticmethod
    def span_cycle(config: EngineConfig) -> int:
        """When the span of the value of cycle 0 is taken."""
        return FixedPointDifference.latency(config)

    @classmethod
    def latency(cls, config: EngineConfig) -> int:
        """Cycles from a value to its level: a bit of it a cycle from the span on."""
        return cls.span_cycle(config) + _STEPS + 1

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        m.submodules.difference = difference = FixedPointDifference(self._config)
        m.d.comb += [
            difference.upper.eq(self.value),
            difference.lower.eq(self.low),
            difference.exponent.eq(self.exponent),
        ]
        # With d = X - X_lo the rests of a division that restores nothing are 15 (2d - R), of which
        # the sign is that of 2d - R, and then, each as the sign of the one before says, 8R, 4R and
        # 2R less or more. A rest that is not negative makes its bit of the level 1.
        doubled = Signal(_REACH, reset_less=True)
        m.d.sync += doubled.eq(
            fast_sum(
                m,
                Cat(Const(0, 1), difference.difference),
                Cat(~self.span, Const(1, 1)),
                Const(1, 1),
                "doubled_sum",
            )
        )
        span = trail(m, self.span, 1, "span_of_doubled")
        is_zero = trail(m, ~self.span.any(), _STEPS, "is_zero")

        # 15 times it is 16 times it less once; the three terms become two without a carry.
        fits = ~doubled[-1]
        terms = (
            Cat(Const(0, LEVEL_BITS), doubled),
            ~doubled.as_signed(),
            Cat(fits.replicate(LEVEL_BITS - 1), span ^ fits.replicate(SPAN_BITS), fits),
        )
        width = len(terms[2])
        twice, once, step = (Signal(width, name=name) for name in ("twice", "once", "step"))
        unlike, alike = Signal(width), Signal(width)
        rest = Signal(width, name="rest", reset_less=True)
        m.d.comb += [
            signal.eq(term) for signal, term in zip((twice, once, step), terms, strict=True)
        ]
        m.d.comb += [
            unlike.eq(twice ^ once ^ step),
            alike.eq(Cat(Const(1, 1), (twice & once) | ((twice ^ once) & step))),
        ]
        m.d.sync += rest.eq(fast_sum(m, unlike, alike, fits, "rest_sum"))
        level = trail(m, fits, 1, "top_level")

        # Below the place of R, shifted by its bit, a rest stays as it is.
        changed: Value = rest
        for bit in reversed(range(LEVEL_BITS - 2)):
            span = trail(m, span, 1, f"span_of_{bit + 1}")
            fits = ~rest[-1]
            kept, changed = rest[: bit + 1], rest[bit + 1 : bit + 1 + _REACH]
            step = Cat(span, Const(0, 1)) ^ fits.replicate(_REACH)
            changed = fast_sum(m, changed, step, fits, f"rest_{bit}_sum")
            level = Cat(fits, level)
            if bit:
                rest = trail(m, Cat(kept, changed), 1, f"rest_{bit}")
                level = trail(m, level, 1, f"level_{bit}")
        if LEVEL_BITS > 1:
            level = Cat(~changed[-1], level)
        m.d.comb += self.level.eq(trail(m, Mux(is_zero, 0, level), 1, "level"))
        return m


class Quantizer(wiring.Component):
    """Levels of L channels a cycle (docs/definition.md, 'Quantise').

    Ports: ``word`` In, always-ready stream of ``values`` and ``lows`` (16 bits a lane);
    ``spans`` In, R of each lane, on cycle `span_cycle` of its word; ``exponent`` In, constant while
    words come; ``levels`` Out, always-ready stream of `level_word`.

    A word on cycle 0 leaves on cycle `latency`; one a cycle, no back-pressure.
    """

    span_cycle = QuantizerLane.span_cycle
    latency = QuantizerLane.latency

    def __init__(self, config: EngineConfig):
        self._config = config
        word = data.StructLayout({"values": values_of(config), "lows": values_of(config)})
        super().__init__(
            {
                "word": In(stream.Signature(word, always_ready=True)),
                "spans": In(data.ArrayLayout(SPAN_BITS, config.quantize_lanes)),
                "exponent": In(exponent_bits(config)),
                "levels": Out(stream.Signature(level_word(config), always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        for i in range(config.quantize_lanes):
            m.submodules[f"lane_{i}"] = lane = QuantizerLane(config)
            m.d.comb += [
                lane.value.eq(self.word.payload.values[i]),
                lane.low.eq(self.word.payload.lows[i]),
                lane.span.eq(self.spans[i]),
                lane.exponent.eq(self.exponent),
                self.levels.payload[i].eq(lane.level),
            ]
        m.d.comb += self.levels.valid.eq(delay(m, self.word.valid, self.latency(config), "valid"))
        return m
