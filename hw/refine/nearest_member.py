"""Nearest member: the vector update unit that finds a group's exact medoid."""

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.blocks.pipeline import delay, register, tree_sum
from hw.config import LEVEL_BITS, EngineConfig
from hw.words import chunk_word, weight_lookup


def member_chunk(config: EngineConfig) -> data.StructLayout:
    """A chunk of a group member, in either of the two rounds over the group.

    Members: ``q``, its channels; ``index`` of the chunk; ``count`` n of members; ``slot`` and
    ``token``; ``is_dst``, the member is the slot's dst; ``scoring``, the second round; ``first``
    and ``last`` chunk of the member; ``first_member`` and ``last_member`` of the round.
    """
    return data.StructLayout(
        {
            "q": chunk_word(config),
            "index": config.chunk_index_bits,
            "count": config.count_bits,
            "slot": config.slot_bits,
            "token": config.token_bits,
            "is_dst": 1,
            "scoring": 1,
            "first": 1,
            "last": 1,
            "first_member": 1,
            "last_member": 1,
        }
    )


class NearestMember(wiring.Component):
    """Picks the member of each group that is nearest to the group's mean, exactly.

    The score of a member x is ``n |x|^2 - 2 <x, S>``, with weighted products and S the sum of the
    n members (docs/definition.md, 'Dst update'): sum over c of ``w_c q_c (n q_c - 2 S_c)``. The
    first round over a group sums S, the second scores. The least score wins; on a tie the dst
    stays, else the lowest token wins.

    Ports: ``chunk`` In, always-ready stream of `member_chunk`, the group's dst first in each
    round; ``weight`` Out `weight_lookup`; ``winner`` Out, always-ready stream of ``slot``, ``old``
    (its dst) and ``token``, once a group.

    The winner is valid `latency` cycles after the last chunk of the second round, for that cycle.
    One chunk a cycle, rounds and groups back to back; no back-pressure.
    """

    latency = 7

    def __init__(self, config: EngineConfig):
        self._config = config
        winner = data.StructLayout(
            {"slot": config.slot_bits, "old": config.token_bits, "token": config.token_bits}
        )
        super().__init__(
            {
                "chunk": In(stream.Signature(member_chunk(config), always_ready=True)),
                "weight": Out(weight_lookup(config)),
                "winner": Out(stream.Signature(winner, always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        chunk = self.chunk.payload
        m.d.comb += self.weight.index.eq(chunk.index)

        # On cycle 1 the sums and the weights of the chunk are known.
        flags = _at(m, chunk, self.chunk.valid, 1)
        sums = self._sums(m, flags)

        # On cycle 2 the products n q, on cycle 3 the terms q (n q - 2 S), on cycle 4 their
        # weighted values, on cycle 5 the chunk's score.
        terms = []
        for c in range(config.channel_lanes):
            product = Signal(config.count_bits + LEVEL_BITS, name=f"product_{c}")
            level = Signal(LEVEL_BITS, name=f"level_{c}")
            double = Signal(config.sum_bits + 1, name=f"double_{c}")
            term = Signal(signed(config.sum_bits + LEVEL_BITS + 3), name=f"term_{c}")
            m.d.sync += [
                product.eq(flags.chunk.count * flags.chunk.q[c]),
                level.eq(flags.chunk.q[c]),
                double.eq(sums[c] << 1),
                term.eq((product - double) * level),
            ]
            terms.append(term)
        score = self._weighted(m, terms)

        # On cycle 6 the member's score is whole; on cycle 7 the group's least is.
        ending = _at(m, chunk, self.chunk.valid & chunk.scoring, 5)
        total = Signal(signed(config.distance_bits + config.count_bits + 3))
        with m.If(ending.valid):
            m.d.sync += total.eq(Mux(ending.chunk.first, 0, total) + score)
        whole = _at(m, chunk, self.chunk.valid & chunk.scoring & chunk.last, 6)
        self._least(m, whole, total)
        return m

    def _sums(self, m: Module, flags: "_Stage") -> list[Value]:
        """The group's sums S of the chunk's channels; the first round adds each member to them."""
        config = self._config
        row = data.ArrayLayout(config.sum_bits, config.channel_lanes)
        m.submodules.sums = memory = Memory(shape=row, depth=config.max_chunks, init=[])
        write = memory.write_port()
        # The write of a cycle before must be seen when a member is one chunk long.
        read = memory.read_port(transparent_for=(write,))
        m.d.comb += [
            read.addr.eq(self.chunk.payload.index),
            write.addr.eq(flags.chunk.index),
            write.en.eq(flags.valid & ~flags.chunk.scoring),
        ]
        for c in range(config.channel_lanes):
            before = Mux(flags.chunk.first_member, 0, read.data[c])
            m.d.comb += write.data[c].eq(before + flags.chunk.q[c])
        return [read.data[c] for c in range(config.channel_lanes)]

    def _weighted(self, m: Module, terms: list[Signal]) -> Signal:
        """The weighted sum of ``terms``, two cycles later; with a shared weight, summed first."""
        config = self._config
        if config.scale_group > 1:
            total = register(m, tree_sum(terms), "terms")
            return register(m, total * delay(m, self.weight.entry[0], 3, "weight"), "score")
        weighted = [
            register(m, term * delay(m, self.weight.entry[c], 2, f"weight_{c}"), f"weighted_{c}")
            for c, term in enumerate(terms)
        ]
        return register(m, tree_sum(weighted), "score")

    def _least(self, m: Module, member: "_Stage", score: Signal) -> None:
        """Keep the group's best member, and offer it after the last."""
        winner = self.winner.payload
        best = Signal.like(score)
        best_is_dst = Signal()
        tie = (score == best) & ~best_is_dst & (member.chunk.token < winner.token)
        m.d.sync += self.winner.valid.eq(member.valid & member.chunk.last_member)
        with m.If(member.valid & (member.chunk.first_member | (score < best) | tie)):
            m.d.sync += [
                best.eq(score),
                best_is_dst.eq(member.chunk.is_dst),
                winner.token.eq(member.chunk.token),
            ]
        with m.If(member.valid & member.chunk.is_dst):
            m.d.sync += [winner.slot.eq(member.chunk.slot), winner.old.eq(member.chunk.token)]


class _Stage:
    """A chunk as it was some cycles before, and whether it counts."""

    def __init__(self, chunk: data.View, valid: Value):
        self.chunk = chunk
        self.valid = valid


def _at(m: Module, chunk: data.View, valid: Value, cycle: int) -> _Stage:
    """``chunk`` and ``valid`` delayed to ``cycle``; registers nobody reads are dropped later."""
    layout = chunk.shape()
    value = delay(m, chunk.as_value(), cycle, f"chunk_at_{cycle}")
    return _Stage(data.View(layout, value), delay(m, valid, cycle, f"valid_at_{cycle}"))
