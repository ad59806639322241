"""Nearest member: the vector update unit that finds a group's exact medoid."""

from collections.abc import Sequence
from typing import NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.blocks.pipeline import delay, register, tree_sum
from hw.config import BANK_BITS, CHANNEL_WORD_BITS, LARGEST_LEVEL, LEVEL_BITS, EngineConfig
from hw.scratchpad import ScratchPort
from hw.words import weight_lookup

_BANK_SUMS = BANK_BITS // CHANNEL_WORD_BITS
_SUMMED = 3
"""Terms of a sum that are added in a cycle."""
_DIGIT_BITS = LEVEL_BITS


def words_per_chunk(config: EngineConfig) -> int:
    """Words of U channels in a chunk, at least 2."""
    return config.channel_lanes // config.update_lanes


def member_word(config: EngineConfig) -> data.StructLayout:
    """U channels of a group member, in either of the two rounds over the group.

    Members: ``q``, the channels' levels; ``index`` of the word in the member's row; ``count`` of
    members; ``token``; ``is_dst``, the member is the slot's dst; ``scoring``, the second round;
    ``first`` and ``last`` word of the member; ``last_member`` of the round.
    """
    return data.StructLayout(
        {
            "q": data.ArrayLayout(LEVEL_BITS, config.update_lanes),
            "index": range(config.max_chunks * words_per_chunk(config)),
            "count": config.count_bits,
            "token": config.token_bits,
            "is_dst": 1,
            "scoring": 1,
            "first": 1,
            "last": 1,
            "last_member": 1,
        }
    )


class NearestMember(wiring.Component):
    """Picks the member of each group that is nearest to the group's mean, exactly.

    The score of a member x is ``n |x|^2 - 2 <x, S>``, with weighted products and S the sum of the
    n members (docs/definition.md, 'Dst update'). The first round over a group sums S, the second
    scores. The least score wins; on a tie the dst stays, else the lowest token wins.

    Ports: ``word`` In, always-ready stream of `member_word`, each member whole, the group's dst
    first in each round; ``weight`` Out `weight_lookup`; ``scratch`` Out `ScratchPort`, where the
    sums lie; ``winner`` Out, always-ready stream of ``token`` and ``is_dst``, once a group.

    The winner is valid `latency` cycles after the last word of the second round, for that cycle.
    One word a cycle, rounds and groups back to back, gaps anywhere; no back-pressure.

    The sums of word w lie at address w div 2 of one half of the banks for even w, of the other for
    odd w. They are written a cycle after they are read. What may be read in that cycle is the next
    word, or the first one after a member's last: a member has an even number of words, so it lies
    in the other half, and no bank is read and written at once. By the same number a word comes
    again 2 cycles later at the earliest, when its sums have been written.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        winner = data.StructLayout({"token": config.token_bits, "is_dst": 1})
        super().__init__(
            {
                "word": In(stream.Signature(member_word(config), always_ready=True)),
                "weight": Out(weight_lookup(config)),
                "scratch": Out(ScratchPort(config)),
                "winner": Out(stream.Signature(winner, always_ready=True)),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles, among them those in which a word's channels are added up by threes."""
        fixed = 8 if self._config.scale_group > 1 else 9
        return fixed + _sum_cycles(self._config.update_lanes)

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        chunk_shift = exact_log2(words_per_chunk(self._config))
        m.d.comb += self.weight.index.eq(self.word.payload.index >> chunk_shift)
        total = self._total(m, *self._score(m, self._at(m, 1)))
        assert total.cycle + 1 == self.latency
        self._least(m, self._at(m, total.cycle), total.value)
        return m

    def _score(self, m: Module, asked: "_Stage") -> tuple[list[Value], int]:
        """What adds up to the word's share of the score, and the cycle on which it is known."""
        config = self._config
        shared = config.scale_group > 1
        lanes = range(config.update_lanes)
        levels = [asked.word.q[c] for c in lanes]
        sums = [register(m, each, f"sum_{c}") for c, each in enumerate(self._sums(m, asked))]
        # A weight of its own goes into a level before it is multiplied, a shared one at the end.
        weights: list[Value] = [] if shared else self._weights(m)
        factors = [
            register(m, levels[c] if shared else levels[c] * weights[c], f"factor_{c}")
            for c in lanes
        ]
        squares: list[Value] = [level * level for level in levels]
        if not shared:
            again = [register(m, level, f"level_{c}") for c, level in enumerate(levels)]
            squares = [register(m, factors[c] * again[c], f"square_{c}") for c in lanes]
        norm = _sum(m, squares, 1 if shared else 3, "norm")
        cross = self._dot(m, factors, sums)
        count = delay(m, self.word.payload.count, norm.cycle, "count")
        multiples = _partial_products(m, count, norm.value, "multiple")
        scaled = _Timed(register(m, tree_sum(multiples), "scaled"), norm.cycle + 2)

        # A channel's q (n q - 2 S) is within 15^2 n either way, since S is at most 15 n.
        largest = len(lanes) * LARGEST_LEVEL**2 * config.max_tokens
        largest *= 1 if shared else (1 << config.weight_bits) - 1
        gap = Signal(signed(largest.bit_length() + 1))
        cycle = max(scaled.cycle, cross.cycle)
        m.d.sync += gap.eq(scaled.at(m, cycle, "scaled") - (cross.at(m, cycle, "cross") << 1))
        if not shared:
            return [gap], cycle + 1
        weight = delay(m, self.weight.entry[0], cycle, "weight")
        return _partial_products(m, gap, weight, "score"), cycle + 2

    def _sums(self, m: Module, asked: "_Stage") -> list[Value]:
        """The group's sums on cycle 1; in the first round they are written with the member added.

        The first member's are without meaning: it overwrites what another group left.
        """
        config = self._config
        lanes, port = config.update_lanes, self.scratch
        half_banks = lanes // _BANK_SUMS
        read, written = self.word.payload.index, asked.word.index
        row = data.ArrayLayout(CHANNEL_WORD_BITS, lanes)
        found = row(port.entry.as_value().word_select(written[0], row.size))
        after = Signal(row)
        for lane in range(lanes):
            before = Mux(asked.word.is_dst, 0, found[lane][: config.sum_bits])
            m.d.comb += after[lane].eq((before + asked.word.q[lane])[: config.sum_bits])
        for bank in range(2 * half_banks):
            half, place = divmod(bank, half_banks)
            writes = asked.valid & ~asked.word.scoring & (written[0] == half)
            m.d.comb += [
                port.address[bank].eq(Mux(writes, written, read) >> 1),
                port.write[bank].eq(writes),
                port.mask[bank].eq(~0),
                port.data[bank].eq(after.as_value().word_select(place, BANK_BITS)),
            ]
        return [found[lane][: config.sum_bits] for lane in range(lanes)]

    def _weights(self, m: Module) -> list[Value]:
        """The weights of the word's channels on cycle 1, picked from their chunk's."""
        config = self._config
        place = self.word.payload.index[: exact_log2(words_per_chunk(config))]
        picked = self.weight.entry.as_value().word_select(
            register(m, place, "place"), config.update_lanes * config.weight_bits
        )
        return [picked.word_select(c, config.weight_bits) for c in range(config.update_lanes)]

    def _dot(self, m: Module, factors: list[Signal], sums: list[Signal]) -> "_Timed":
        """The sum of products of what is known on cycle 2, a digit of the factors at a time."""
        dots = []
        for low in range(0, len(factors[0]), _DIGIT_BITS):
            products = [
                register(m, factor[low : low + _DIGIT_BITS] * each, f"product_{low}_{c}")
                for c, (factor, each) in enumerate(zip(factors, sums, strict=True))
            ]
            dots.append(_sum(m, products, 3, f"dot_{low}"))
        if len(dots) == 1:
            return dots[0]
        parts = [dot.value << place * _DIGIT_BITS for place, dot in enumerate(dots)]
        return _Timed(register(m, tree_sum(parts), "dot"), dots[0].cycle + 1)

    def _total(self, m: Module, terms: list[Value], cycle: int) -> "_Timed":
        """The member's score when its last word is in, the upper half a cycle after the lower."""
        config = self._config
        bits = config.distance_bits + config.count_bits + 1
        low, high = Signal(bits // 2), Signal(bits - bits // 2)
        carry = Signal(range(len(terms) + 1))
        early, late = self._at(m, cycle), self._at(m, cycle + 1)
        lower, upper = [], []
        for number, term in enumerate(terms):
            wide = Signal(signed(bits), name=f"term_{number}")
            m.d.comb += wide.eq(term)
            lower.append(wide[: len(low)])
            upper.append(register(m, wide[len(low) :], f"upper_{number}"))
        with m.If(early.valid):
            m.d.sync += Cat(low, carry).eq(tree_sum([Mux(early.word.first, 0, low), *lower]))
        with m.If(late.valid):
            m.d.sync += high.eq(tree_sum([Mux(late.word.first, 0, high), *upper, carry]))
        return _Timed(Cat(register(m, low, "low"), high).as_signed(), cycle + 2)

    def _least(self, m: Module, member: "_Stage", score: Value) -> None:
        """Keep the group's best member, and offer it after the last."""
        word, winner = member.word, self.winner.payload
        best = Signal.like(score)
        ends = member.valid & word.last & word.scoring
        tie = (score == best) & ~winner.is_dst & (word.token < winner.token)
        m.d.sync += self.winner.valid.eq(ends & word.last_member)
        with m.If(ends & (word.is_dst | (score < best) | tie)):
            m.d.sync += [
                best.eq(score),
                winner.is_dst.eq(word.is_dst),
                winner.token.eq(word.token),
            ]

    def _at(self, m: Module, cycle: int) -> "_Stage":
        """The word that came ``cycle`` cycles before; registers nobody reads are dropped later."""
        value = delay(m, self.word.payload.as_value(), cycle, f"word_at_{cycle}")
        valid = delay(m, self.word.valid, cycle, f"valid_at_{cycle}")
        return _Stage(data.View(self.word.payload.shape(), value), valid)


class _Stage(NamedTuple):
    """A word some cycles after it came, and whether one did."""

    word: data.View
    valid: Value


class _Timed(NamedTuple):
    """A value that belongs to the word that came ``cycle`` cycles before."""

    value: Value
    cycle: int

    def at(self, m: Module, cycle: int, name: str) -> Value:
        """The same on a later cycle."""
        return delay(m, self.value, cycle - self.cycle, name)


def _sum_cycles(terms: int) -> int:
    """Cycles of the sum of so many terms, `_SUMMED` of them added at once."""
    cycles = 0
    while terms > 1:
        terms, cycles = -(-terms // _SUMMED), cycles + 1
    return cycles


def _sum(m: Module, terms: Sequence[Value], cycle: int, name: str) -> _Timed:
    """The sum of ``terms`` that are known on ``cycle``, `_sum_cycles` later."""
    while len(terms) > 1:
        terms = [
            register(m, tree_sum(list(terms[i : i + _SUMMED])), f"{name}_{len(terms)}_{i}")
            for i in range(0, len(terms), _SUMMED)
        ]
        cycle += 1
    return _Timed(terms[0], cycle)


def _partial_products(m: Module, left: Value, right: Value, name: str) -> list[Value]:
    """What adds up to the product a cycle later: ``left`` times each digit of ``right``."""
    return [
        register(m, left * right[low : low + _DIGIT_BITS], f"{name}_{low}") << low
        for low in range(0, len(right), _DIGIT_BITS)
    ]
