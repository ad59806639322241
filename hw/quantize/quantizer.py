"""Quantizer: levels of token values, a pipelined restoring division a lane."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.pipeline import delay
from hw.config import LEVEL_BITS, VALUE_BITS, EngineConfig
from hw.quantize.fixed_point import SPAN_BITS, FixedPointDifference, exponent_bits


def span_word(config: EngineConfig) -> data.ArrayLayout:
    """The spans that L neighbouring channels are quantised with."""
    return data.ArrayLayout(SPAN_BITS, config.quantize_lanes)


def level_word(config: EngineConfig) -> data.ArrayLayout:
    """The levels of L channels."""
    return data.ArrayLayout(LEVEL_BITS, config.quantize_lanes)


class QuantizerLane(wiring.Component):
    """``level = (30 (X - X_lo) + R) div 2R``, 0 where R = 0, of one channel a cycle.

    Ports: ``value``, ``low`` In 16-bit values, low <= value; ``span`` In, R; ``exponent`` In, see
    `FixedPointDifference`; ``level`` Out. X - X_lo must be at most R.

    A value on cycle 0 is in ``level`` on cycle `latency`; no back-pressure.
    """

    latency = FixedPointDifference.latency + 2 + LEVEL_BITS

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

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        m.submodules.difference = difference = FixedPointDifference(self._config)
        m.d.comb += [
            difference.upper.eq(self.value),
            difference.lower.eq(self.low),
            difference.exponent.eq(self.exponent),
        ]
        # R = 0 leaves the numerator 0: any other divisor then gives level 0.
        nonzero = delay(m, self.span.any(), 1, "nonzero")
        span = delay(m, delay(m, self.span, 1, "early_span") | ~nonzero, 2, "span")

        multiple = Signal(SPAN_BITS + LEVEL_BITS)  # 15 (X - X_lo): the largest level's.
        span = delay(m, span, 1, "late_span")
        remainder: Value = Signal(SPAN_BITS + LEVEL_BITS + 1)
        m.d.sync += [
            multiple.eq((difference.difference << LEVEL_BITS) - difference.difference),
            remainder.eq((multiple << 1) + span),
        ]
        # As 30 (X - X_lo) + R <= 31 R the quotient by 2R is a level, its bits found from the top.
        level: Value = Const(0, 0)
        for bit in reversed(range(LEVEL_BITS)):
            span = delay(m, span, 1, f"span_{bit}")
            trial = Signal(SPAN_BITS + 1, name=f"trial_{bit}")
            # Subtracting 2^(bit+1) R leaves the bits below alone.
            below, above = remainder[: bit + 1], remainder[bit + 1 :]
            m.d.comb += trial.eq(above - span)
            found = Signal(LEVEL_BITS - bit, name=f"found_{bit}")
            m.d.sync += found.eq(Cat(~trial[-1], level))
            level = found
            if bit:
                left = Signal(SPAN_BITS + 1 + bit, name=f"left_{bit}")
                m.d.sync += left.eq(Cat(below, Mux(trial[-1], above, trial)))
                remainder = left
        m.d.comb += self.level.eq(level)
        return m


class Quantizer(wiring.Component):
    """Levels of L channels a cycle (docs/definition.md, 'Quantise').

    Ports: ``word`` In, always-ready stream of ``values`` and ``lows`` (16 bits a lane) and
    ``spans`` (`span_word`); ``exponent`` In, constant while words come; ``levels`` Out,
    always-ready stream of `level_word`.

    A word on cycle 0 leaves on cycle `latency`; one a cycle, no back-pressure.
    """

    latency = QuantizerLane.latency

    def __init__(self, config: EngineConfig):
        self._config = config
        values = data.ArrayLayout(VALUE_BITS, config.quantize_lanes)
        word = data.StructLayout({"values": values, "lows": values, "spans": span_word(config)})
        super().__init__(
            {
                "word": In(stream.Signature(word, always_ready=True)),
                "exponent": In(exponent_bits(config)),
                "levels": Out(stream.Signature(level_word(config), always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        for i in range(self._config.quantize_lanes):
            m.submodules[f"lane_{i}"] = lane = QuantizerLane(self._config)
            m.d.comb += [
                lane.value.eq(self.word.payload.values[i]),
                lane.low.eq(self.word.payload.lows[i]),
                lane.span.eq(self.word.payload.spans[i]),
                lane.exponent.eq(self.exponent),
                self.levels.payload[i].eq(lane.level),
            ]
        m.d.comb += self.levels.valid.eq(delay(m, self.word.valid, self.latency, "valid"))
        return m
