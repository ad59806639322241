"""Float functions: 2^x, 1/x and the square root, by a parabola a segment."""

from dataclasses import asdict
from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.pipeline import delay, register
from hw.dxe.floats import FP32, Kind, Unpack
from hw.dxe.function_table import OFFSET_BITS, SEGMENTS, UNIT_BITS, Function, segments
from hw.dxe.multiply import CYCLES, in_parts
from hw.dxe.round import EXPONENT_BITS, Round

_INDEX_BITS = (SEGMENTS - 1).bit_length()
_POWER_FRACTION = 26
"""Bits of a power of two's exponent below the point; what is below them is dropped."""
_POWER_BITS = 8
"""Bits of it above the point: beyond them 2^x is infinite, or 0."""
_PLACE_CYCLES, _PARABOLA = 2, 3 + 2 * CYCLES
"""Cycles to find where a value lies, and from there to the parabola's value."""
_COEFFICIENT = data.StructLayout({"middle": 31, "slope": signed(26), "bend": signed(18)})
_PLACE = data.StructLayout(
    {
        "function": Function,
        "index": _INDEX_BITS,
        "offset": signed(OFFSET_BITS),
        "exponent": signed(EXPONENT_BITS),
        "sign": 1,
        "kind": Kind,
    }
)
"""A segment, where in it, and what the result is beside its significand."""


class FloatFunction(wiring.Component):
    """2^x, 1/x or the square root of a float32, as the definition's parabolas have them.

    Special values are IEEE 754's: 2^-inf = 0, 1/0 = inf and 1/-0 = -inf, the root of -0 is -0, of
    what is negative otherwise a NaN (docs/definition.md, 'Functions of the vector unit'). Where
    ``function`` is NONE the result means nothing.

    Ports: ``function`` In `Function`; ``x`` In, ``value`` Out, float32, on cycle `latency`. One a
    cycle.
    """

    latency = Unpack.latency + _PLACE_CYCLES + _PARABOLA + Round.latency

    def __init__(self) -> None:
        super().__init__({"function": In(Function), "x": In(FP32.bits), "value": Out(FP32.bits)})

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        m.submodules.unpack = unpack = Unpack(FP32)
        m.submodules.round = rounding = Round(FP32, UNIT_BITS + 1)
        m.d.comb += unpack.value.eq(self.x)
        place = self._place(m, register(m, self.function, "function_1"), unpack.operand)

        parabola = register(m, _looked_up(place), "parabola")
        places = [place]
        for cycle in range(_PARABOLA):
            places.append(register(m, places[-1], f"place_{cycle + 1}"))
        bent = in_parts(m, parabola.bend, places[1].offset, "bent") >> OFFSET_BITS
        leaning = Signal(signed(27))
        m.d.sync += leaning.eq(delay(m, parabola.slope, CYCLES, "slope") + bent)
        leant = in_parts(m, places[CYCLES + 2].offset, leaning, "leant") >> OFFSET_BITS
        result = Signal(UNIT_BITS + 1)
        m.d.sync += result.eq(delay(m, parabola.middle, 2 * CYCLES + 1, "middle") + leant)

        # 1/x lies from 1/2 to 1, the others from 1 to 2.
        last = places[_PARABOLA]
        below_one = last.function == Function.RECIPROCAL
        m.d.comb += [
            rounding.exact.significand.eq(Mux(below_one, result << 1, result)),
            rounding.exact.exponent.eq(last.exponent),
            rounding.exact.sign.eq(last.sign),
            rounding.exact.kind.eq(last.kind),
            self.value.eq(rounding.value),
        ]
        return m

    def _place(self, m: Module, function: Value, x: data.View) -> data.View:
        """Where a value lies, two cycles later."""
        # As fixed point: with the exponent that reaches the highest bit nothing is shifted.
        whole = Cat(Const(0, _POWER_BITS + _POWER_FRACTION - len(x.significand)), x.significand)
        highest = _POWER_BITS - 1
        fixed = Signal(_POWER_BITS + _POWER_FRACTION)
        with m.If((x.kind == Kind.FINITE) & (x.exponent >= highest - len(fixed))):
            m.d.sync += fixed.eq(whole >> (highest - x.exponent)[: len(fixed).bit_length()])
        with m.Else():
            m.d.sync += fixed.eq(0)
        beyond = register(m, (x.kind == Kind.FINITE) & (x.exponent > highest), "beyond_1")
        function = register(m, function, "function_2")
        x = register(m, x, "x_1")

        place = Signal(_PLACE)
        m.d.sync += [place.function.eq(function), place.kind.eq(x.kind), place.sign.eq(x.sign)]
        fraction = x.significand[:-1]
        with m.Switch(function):
            with m.Case(Function.EXP2):
                power = Mux(x.sign, -fixed, fixed)
                offset, index = power[:OFFSET_BITS], power[OFFSET_BITS:_POWER_FRACTION]
                m.d.sync += [
                    *_in_segment(place, index, offset),
                    place.exponent.eq(power >> _POWER_FRACTION),
                    place.sign.eq(0),
                ]
                with m.If(beyond | (x.kind == Kind.INFINITE)):
                    m.d.sync += place.kind.eq(Mux(x.sign, Kind.ZERO, Kind.INFINITE))
                with m.Elif(x.kind == Kind.ZERO):
                    m.d.sync += place.kind.eq(Kind.FINITE)
            with m.Case(Function.RECIPROCAL):
                index, offset = fraction[-_INDEX_BITS:], fraction[:-_INDEX_BITS]
                m.d.sync += [*_in_segment(place, index, offset), place.exponent.eq(~x.exponent)]
                with m.If(x.kind == Kind.INFINITE):
                    m.d.sync += place.kind.eq(Kind.ZERO)
                with m.Elif(x.kind == Kind.ZERO):
                    m.d.sync += place.kind.eq(Kind.INFINITE)
            with m.Case(Function.SQRT):
                odd = x.exponent[0]
                index, offset = fraction[1 - _INDEX_BITS :], fraction[: 1 - _INDEX_BITS]
                m.d.sync += [
                    *_in_segment(place, Cat(index, odd), offset),
                    place.exponent.eq(x.exponent >> 1),
                ]
                with m.If(x.sign & (x.kind != Kind.ZERO)):
                    m.d.sync += place.kind.eq(Kind.NAN)
        return place


def _in_segment(place: data.View, index: Value, offset: Value) -> list[Any]:
    """Put an offset from a segment's start as one from its middle."""
    scaled = Cat(Const(0, OFFSET_BITS - len(offset)), offset)
    return [place.index.eq(index), place.offset.eq(Cat(scaled[:-1], ~scaled[-1]))]


def _looked_up(place: data.View) -> data.View:
    """The parabola of a segment; of none where there is none."""
    of_none = [_COEFFICIENT.const({})] * SEGMENTS
    table = list(of_none)
    for function in (Function.EXP2, Function.RECIPROCAL, Function.SQRT):
        found = [_COEFFICIENT.const(asdict(segment)) for segment in segments(function)]
        table += found + of_none[len(found) :]
    entry = Array(Value.cast(entry) for entry in table)[Cat(place.index, place.function)]
    return data.View(_COEFFICIENT, entry)
