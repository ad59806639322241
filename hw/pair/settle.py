"""Settle: what a pass has found for the src of a tile becomes their entries in memory."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.blocks.handshake import Handshake
from hw.blocks.lookup import Lookup
from hw.bus.word_writer import written_word
from hw.config import EngineConfig
from hw.pair.least_two import nearest, nearest_lookup
from hw.pair.limits import bound_lookup
from hw.pair.src_rows import known_src, src_index
from hw.words import TOKEN_FIELD, entry


class Settle(wiring.Component):
    """Writes the new entry of each src of a tile, and sums the losses of those that are settled.

    After a comparison with all slots a src's loss, slot and bound are what was found. After one
    with the slots that moved (``moved``) the distances to all others are those of before:

    * Where the src's own slot has not moved, the nearer one of that and the nearest moved slot is
      its slot, the lower one on a tie, and every other slot is at least as far as its bound before,
      the second moved slot, and the farther one of the two.
    * Where it has moved, the nearest moved slot is the src's if it is nearer than the bound: then
      no other slot is. Else nothing is known: the src needs all slots, and stays in its group
      meanwhile.

    Source: docs/definition.md, 'Pairing' and 'Exact savings'.

    Ports:
        ``known`` In, always-ready stream of `known_src`: kept until it comes again.
        ``group_slot`` In `Lookup` and ``bound`` In `bound_lookup`: the slot and the bound of a src
        as they are kept; not while ``known`` comes or the unit is run.
        ``run`` In `Handshake`: settle src 0 to ``count`` In - 1, at least one; done as ``word``
        takes the last. ``moved`` In, constant meanwhile; ``entries_address`` In.
        ``found`` Out `nearest_lookup`.
        ``clear`` In pulse: a pairing begins. ``loss`` Out: the sum since, whole from `loss_latency`
        cycles after done on.
        ``word`` Out stream of `written_word`.

    A src takes `src_cycles` where words are taken as they come.
    """

    src_cycles = 5
    loss_latency = 3

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "known": In(stream.Signature(known_src(config), always_ready=True)),
                "group_slot": In(Lookup(src_index(config), TOKEN_FIELD)),
                "bound": In(bound_lookup(config)),
                "run": In(Handshake()),
                "count": In(range(config.resident_src + 1)),
                "moved": In(1),
                "entries_address": In(config.address_bits),
                "found": Out(nearest_lookup(config)),
                "clear": In(1),
                "loss": Out(config.loss_bits),
                "word": Out(stream.Signature(written_word(config))),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config = self._config
        kept = data.StructLayout(
            {
                "token": config.token_bits,
                "loss": config.distance_bits,
                "bound": config.distance_bits,
            }
        )
        depth = len(src_index(config))
        m.submodules.slots = slots = Memory(shape=TOKEN_FIELD, depth=depth, init=[])
        m.submodules.rest = rest = Memory(shape=kept, depth=depth, init=[])
        known = self.known.payload
        slots_read, rest_read = slots.read_port(), rest.read_port()
        slots_write, rest_write = slots.write_port(), rest.write_port()
        index = Signal(src_index(config))
        busy = Signal()
        # Nothing is asked for while src come, so each memory has one port.
        slots_address = Signal(src_index(config))
        rest_address = Signal(src_index(config))
        m.d.comb += [
            slots_write.en.eq(self.known.valid),
            slots_write.addr.eq(slots_address),
            slots_write.data.eq(known.entry.slot),
            rest_write.en.eq(self.known.valid),
            rest_write.addr.eq(rest_address),
            rest_write.data.token.eq(known.token),
            rest_write.data.loss.eq(known.entry.loss),
            rest_write.data.bound.eq(known.entry.bound),
            slots_address.eq(
                Mux(self.known.valid, known.index, Mux(busy, index, self.group_slot.index))
            ),
            slots_read.addr.eq(slots_address),
            self.group_slot.entry.eq(slots_read.data),
            rest_address.eq(Mux(self.known.valid, known.index, Mux(busy, index, self.bound.index))),
            rest_read.addr.eq(rest_address),
            self.bound.entry.eq(rest_read.data.bound),
            self.found.index.eq(index),
        ]

        old, old_slot = Signal(kept, reset_less=True), Signal(TOKEN_FIELD, reset_less=True)
        new = Signal(nearest(config), reset_less=True)
        new_wins = Signal(reset_less=True)
        below_bound = Signal(reset_less=True)
        bound = Signal(config.distance_bits, reset_less=True)
        farther = Signal(config.distance_bits, reset_less=True)
        settled = self._choose(m, old, old_slot, new, new_wins, below_bound, bound, farther)
        written = Signal(entry())
        address = Signal(config.address_bits, reset_less=True)
        m.d.comb += [
            self.word.payload.address.eq(address),
            self.word.payload.data.eq(written),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += index.eq(0)
                with m.If(self.run.start):
                    m.next = "ASK"
            with m.State("ASK"):
                m.d.comb += busy.eq(1)
                m.next = "TAKE"
            with m.State("TAKE"):
                m.d.sync += [
                    old.eq(rest_read.data), old_slot.eq(slots_read.data), new.eq(self.found.entry),
                ]  # fmt: skip
                m.next = "COMPARE"
            with m.State("COMPARE"):
                m.d.sync += [
                    new_wins.eq(
                        Cat(_widened(new.slot, TOKEN_FIELD), new.least) < Cat(old_slot, old.loss)
                    ),
                    below_bound.eq(new.least < old.bound),
                    bound.eq(Mux(new.second < old.bound, new.second, old.bound)),
                    farther.eq(Mux(new.least < old.loss, old.loss, new.least)),
                    address.eq(self.entries_address + (old.token << 4)),
                ]
                m.next = "CHOOSE"
            with m.State("CHOOSE"):
                m.d.sync += written.eq(settled)
                m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += self.word.valid.eq(1)
                with m.If(self.word.ready):
                    m.d.sync += index.eq(index + 1)
                    m.next = "ASK"
                    with m.If(index == self.count - 1):
                        m.d.comb += self.run.done.eq(1)
                        m.next = "IDLE"
        counted = Signal(config.distance_bits)
        counts = self.word.valid & self.word.ready & ~written.full
        # The upper bits follow a cycle later, so that no carry runs through all of them.
        low, high = self.loss[: len(counted)], self.loss[len(counted) :]
        carry = Signal()
        m.d.sync += [
            counted.eq(Mux(counts, written.loss, 0)),
            Cat(low, carry).eq(low + counted),
            high.eq(high + carry),
        ]
        with m.If(self.clear):
            m.d.sync += [self.loss.eq(0), carry.eq(0)]
        return m

    def _choose(
        self, m: Module, old: data.View, old_slot: Signal, new: data.View, new_wins: Signal,
        below_bound: Signal, bound: Signal, farther: Signal,
    ) -> data.View:  # fmt: skip
        """The entry that follows from the comparisons."""
        chosen = Signal(entry())
        keeps = self.moved & ~new.met & ~new_wins
        slot = Mux(keeps, old_slot, new.slot)
        m.d.comb += [
            chosen.loss.eq(Mux(keeps, old.loss, new.least)),
            chosen.slot.eq(slot),
            chosen.bound.eq(new.second),
            chosen.joined.eq(slot != old_slot),
        ]
        with m.If(self.moved):
            m.d.comb += chosen.bound.eq(bound)
            with m.If(~new.met & (farther < bound)):
                m.d.comb += chosen.bound.eq(farther)
            with m.If(new.met & ~below_bound):
                m.d.comb += [chosen.full.eq(1), chosen.slot.eq(old_slot)]
        return chosen


def _widened(value: Value, bits: int) -> Value:
    return Cat(value, Const(0, bits - len(value)))
