"""Floats: values taken apart, with subnormals normalised, as multipliers want them."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, signed
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from hw.dxe.shift import leading_zeros


class Kind(enum.Enum, shape=2):  # type: ignore[call-arg]
    """What a value is."""

    ZERO = 0
    FINITE = 1
    INFINITE = 2
    NAN = 3


@dataclass(frozen=True)
class FloatFormat:
    """A binary format of IEEE 754, by its bits and those of its exponent."""

    bits: int
    exponent_bits: int

    @property
    def fraction_bits(self) -> int:
        """Bits of a fraction, the leading one not counted."""
        return self.bits - 1 - self.exponent_bits

    @property
    def significand_bits(self) -> int:
        """Bits of a fraction and the one before it."""
        return self.fraction_bits + 1

    @property
    def bias(self) -> int:
        """What a biased exponent is above the exponent; the largest exponent of finite values."""
        return (1 << self.exponent_bits - 1) - 1

    @property
    def infinity(self) -> int:
        """Bits of the positive infinity."""
        return (1 << self.exponent_bits) - 1 << self.fraction_bits

    @property
    def nan(self) -> int:
        """Bits of the one NaN that units here make."""
        return self.infinity | 1 << self.fraction_bits - 1

    @property
    def operand(self) -> data.StructLayout:
        """A value taken apart: (-1)^sign * significand * 2^(exponent - fraction_bits).

        The significand's leading bit is 1 where ``kind`` is FINITE; elsewhere it and the exponent
        mean nothing.
        """
        return data.StructLayout(
            {
                "significand": self.significand_bits,
                "exponent": signed(self.exponent_bits + 1),
                "sign": 1,
                "kind": Kind,
            }
        )


FP16 = FloatFormat(16, 5)
BF16 = FloatFormat(16, 8)
FP32 = FloatFormat(32, 8)
FORMATS = {"fp16": FP16, "bf16": BF16}
"""By `hw.config.EngineConfig.token_format`."""


class Unpack(wiring.Component):
    """Takes a value apart.

    Ports: ``value`` In, of the format; ``operand`` Out, `FloatFormat.operand`, on cycle `latency`.
    A value a cycle.
    """

    latency = 1

    def __init__(self, form: FloatFormat):
        self._form = form
        super().__init__({"value": In(form.bits), "operand": Out(form.operand)})

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        form = self._form
        fraction = self.value[: form.fraction_bits]
        exponent = self.value[form.fraction_bits : form.bits - 1]
        zeros = leading_zeros(m, fraction, "fraction")
        subnormal = exponent == 0
        m.d.sync += [
            self.operand.sign.eq(self.value[-1]),
            self.operand.significand.eq(
                Mux(subnormal, Cat(Const(0, 1), fraction) << zeros, Cat(fraction, Const(1, 1)))
            ),
            self.operand.exponent.eq(Mux(subnormal, -form.bias - zeros, exponent - form.bias)),
        ]
        with m.If(exponent.all()):
            m.d.sync += self.operand.kind.eq(Mux(fraction.any(), Kind.NAN, Kind.INFINITE))
        with m.Else():
            m.d.sync += self.operand.kind.eq(
                Mux(subnormal & ~fraction.any(), Kind.ZERO, Kind.FINITE)
            )
        return m
