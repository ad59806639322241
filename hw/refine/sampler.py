"""Sampler: the initial dst list, M of N tokens at random by selection sampling."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.handshake import Handshake
from hw.config import SEED_BITS, EngineConfig

_SEED_XOR = 0x9E3779B9
_DISCARDED = 8
_DIGIT_BITS = 4
"""Bits of a draw that one multiplier takes: with N - i they settle as fast as a wide addition."""
_DIGITS = SEED_BITS // _DIGIT_BITS
_SUM_LEVELS = exact_log2(_DIGITS)


class _State(enum.Enum):
    IDLE = 0
    FILL = 1
    DECIDE = 2
    LAST = 3


class Sampler(wiring.Component):
    """Chooses ``num_dst`` of ``tokens`` tokens, ascending (docs/definition.md, 'Init').

    xorshift32 and Knuth's Algorithm S: token i is taken when
    ``draw * (N - i) < (M - taken) * 2^32``, that is when the product's high half is below
    ``M - taken``. The draws do not depend on what was taken, so the product is pipelined, and
    only the comparison with ``M - taken`` is a loop.

    Ports: ``run`` In `Handshake`: start takes ``seed`` (32 bits), ``tokens`` (N) and ``num_dst``
    (M) In, 1 <= M < N, and done comes in the cycle after the last token is taken; ``dst`` Out
    stream of token indices.

    One token is decided a cycle: token i is offered `latency` + i cycles after start, and the
    list ends with its last entry, at the latest with token N - 1. A consumer that is not ready
    holds the whole pipeline.
    """

    latency = 1 + (_DISCARDED + 1) + 1 + _SUM_LEVELS + 1
    """Cycles from start to token 0: the seed, its draws, the product, the comparison."""

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "run": In(Handshake()),
                "seed": In(SEED_BITS),
                "tokens": In(config.count_bits),
                "num_dst": In(config.count_bits),
                "dst": Out(stream.Signature(config.token_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        state = Signal(_State)
        advance = Signal()
        m.d.comb += advance.eq(~self.dst.valid | self.dst.ready)

        # Draw k stands in the register k + 1 steps after the seed; the first that counts meets N.
        generator = Signal(SEED_BITS)
        left = Signal.like(self.tokens)
        fill = Signal(range(self.latency))
        with m.If(advance):
            m.d.sync += generator.eq(_xorshift(generator))
            with m.If(fill > _DISCARDED):
                m.d.sync += left.eq(left - 1)

        product = self._product(m, advance, generator, left)
        token = Signal(self._config.token_bits)
        remaining = Signal.like(self.num_dst)
        take = Signal()
        m.d.comb += take.eq(product[SEED_BITS:] < remaining)

        m.d.sync += self.run.done.eq(0)
        with m.Switch(state):
            with m.Case(_State.IDLE):
                mixed = self.seed ^ _SEED_XOR
                with m.If(self.run.start):
                    m.d.sync += [
                        generator.eq(Mux(mixed == 0, 1, mixed)),
                        left.eq(self.tokens),
                        remaining.eq(self.num_dst),
                        token.eq(0),
                        fill.eq(0),
                        state.eq(_State.FILL),
                    ]
            with m.Case(_State.FILL):
                # Nothing is offered yet, so every cycle is a step.
                m.d.sync += fill.eq(fill + 1)
                with m.If(fill == self.latency - 3):
                    m.d.sync += state.eq(_State.DECIDE)
            with m.Case(_State.DECIDE), m.If(advance):
                m.d.sync += [
                    self.dst.valid.eq(take),
                    self.dst.payload.eq(token),
                    token.eq(token + 1),
                    remaining.eq(remaining - take),
                ]
                with m.If(take & (remaining == 1)):
                    m.d.sync += state.eq(_State.LAST)
            with m.Case(_State.LAST), m.If(self.dst.ready):
                m.d.sync += [self.dst.valid.eq(0), self.run.done.eq(1), state.eq(_State.IDLE)]
        return m

    def _product(self, m: Module, advance: Value, draw: Value, left: Value) -> Value:
        """``draw * left``: a product a digit of ``draw``, summed in a tree, registers between."""

        def register(value: Value, name: str) -> Value:
            stage = Signal(len(value), name=name)
            with m.If(advance):
                m.d.sync += stage.eq(value)
            return stage

        terms = [
            register(left * draw.word_select(digit, _DIGIT_BITS), f"digit_{digit}")
            for digit in range(_DIGITS)
        ]
        for level in range(_SUM_LEVELS):
            shift = _DIGIT_BITS << level
            terms = [
                register(_sum(low, high, shift), f"sum_{level}_{place}")
                for place, (low, high) in enumerate(zip(terms[::2], terms[1::2], strict=True))
            ]
        return terms[0]


def _sum(low: Value, high: Value, shift: int) -> Value:
    """``low + (high << shift)``: the lowest bits are those of ``low``, and need no adder."""
    return Cat(low[:shift], low[shift:] + high)


def _xorshift(state: Value) -> Value:
    """The next state of xorshift32: shifts 13 left, 17 right, 5 left."""
    state = state ^ (state << 13)[:SEED_BITS]
    state = state ^ (state >> 17)
    return state ^ (state << 5)[:SEED_BITS]
