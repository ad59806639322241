"""Settle: what becomes of a src's entry."""

from typing import Any

from amaranth.hdl import Assert, Assume, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from formal.proof import Proof
from formal.windows import ago, no_reset
from hw.config import PRESETS
from hw.pair.least_two import nearest
from hw.pair.settle import Settle
from hw.pair.src_rows import known_src
from hw.words import entry

_CONFIG = PRESETS["tiny"]
_SENT = Settle.src_cycles
"""Cycles from a start to the first word."""


class _Properties(wiring.Component):
    """Once a run is done a src comes, it is settled in a run of its own, and its word is taken."""

    def __init__(self, unit: Any):
        self._unit = unit(_CONFIG)
        super().__init__(
            {
                "comes": In(1),
                "known": In(known_src(_CONFIG)),
                "start": In(1),
                "moved": In(1),
                "found": In(nearest(_CONFIG)),
                "entries_address": In(_CONFIG.address_bits),
                "reached": Out(4),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        no_reset(m)
        constant = Cat(self.moved, self.found.as_value(), self.entries_address)
        m.d.comb += [
            unit.known.valid.eq(self.comes),
            unit.known.payload.eq(self.known),
            unit.run.start.eq(self.start),
            unit.count.eq(1),
            unit.moved.eq(self.moved),
            unit.found.entry.eq(self.found),
            unit.entries_address.eq(self.entries_address),
            unit.word.ready.eq(1),
            Assume(constant == ago(m, constant, 1)),
            Assume(~self.comes | (self.known.index == 0)),
            # A distance in memory fits the engine's bits.
            Assume(self.known.entry.loss < 1 << _CONFIG.distance_bits),
            Assume(self.known.entry.bound < 1 << _CONFIG.distance_bits),
        ]
        end = _SENT + Settle.loss_latency
        starts = [ago(m, self.start, back) for back in range(end + 3)]
        ready = ago(m, unit.run.done, end + 2)
        comes = [ago(m, self.comes, back) for back in range(end + 3)]
        known = ready & starts[end] & ~Cat(starts[:end], starts[end + 1 :]).any()
        known &= comes[end + 1] & ~Cat(comes[: end + 1]).any()
        back = Settle.loss_latency
        came: Any = Signal(known_src(_CONFIG))
        m.d.comb += came.eq(ago(m, self.known.as_value(), end + 1))
        word: Any = Signal(unit.word.payload.shape())
        m.d.comb += word.eq(ago(m, unit.word.payload.as_value(), back))
        written: Any = Signal(entry())
        m.d.comb += written.eq(word.data)
        due = self._entry(m, came.entry)
        settled = Mux(written.full, 0, written.loss)
        sent, before = ago(m, unit.word.valid & unit.run.done, back), ago(m, unit.loss, back)
        with m.If(known):
            m.d.comb += [
                Assert(sent),
                Assert(~word.half),
                Assert(
                    word.address
                    == (self.entries_address + (came.token << 4))[: _CONFIG.address_bits]
                ),
                Assert(written.full == due.full),
                Assert(written.slot == due.slot),
                Assert(written.full | (written.loss == due.loss)),
                Assert(written.full | (written.bound == due.bound)),
                Assert(written.full | (written.joined == (due.slot != came.entry.slot))),
                Assert(unit.loss == (before + settled)[: _CONFIG.loss_bits]),
            ]
        m.d.comb += self.reached.eq(
            Cat(
                known & ~self.moved,
                known & self.moved & ~self.found.met & (written.slot == came.entry.slot),
                known & self.moved & ~self.found.met & (written.slot != came.entry.slot),
                known & written.full,
            )
        )
        return m

    def _entry(self, m: Module, old: Any) -> Any:
        """The entry as the docstring has it."""
        due, new = Signal(entry(), name="due"), self.found
        own_is_nearer = (old.loss < new.least) | ((old.loss == new.least) & (old.slot < new.slot))
        with m.If(~self.moved):
            m.d.comb += [
                due.loss.eq(new.least), due.slot.eq(new.slot), due.bound.eq(new.second),
            ]  # fmt: skip
        with m.Elif(~new.met):
            farther = Mux(old.loss < new.least, new.least, old.loss)
            near = Mux(new.second < old.bound, new.second, old.bound)
            m.d.comb += [
                due.loss.eq(Mux(own_is_nearer, old.loss, new.least)),
                due.slot.eq(Mux(own_is_nearer, old.slot, new.slot)),
                due.bound.eq(Mux(farther < near, farther, near)),
            ]
        with m.Elif(new.least < old.bound):
            m.d.comb += [
                due.loss.eq(new.least),
                due.slot.eq(new.slot),
                due.bound.eq(Mux(new.second < old.bound, new.second, old.bound)),
            ]
        with m.Else():
            m.d.comb += [due.full.eq(1), due.slot.eq(old.slot)]
        return due


PROOF = Proof(
    Settle,
    f"distances of {_CONFIG.distance_bits} bits, every entry and everything found, moved slots or"
    " all: the new entry's slot, loss, bound and marks, its place, and what L grows by",
    _Properties,
    (
        ("new.least < old.bound)", "new.least <= old.bound)"),
        ("Cat(_widened(new.slot, TOKEN_FIELD), new.least)", "Cat(old_slot, new.least)"),
        ("bound.eq(Mux(new.second < old.bound, new.second, ", "bound.eq(Mux(0, new.second, "),
        ("new.least < old.loss, old.loss, new.least", "new.least < old.loss, new.least, old.loss"),
        ("~new.met & (farther < bound)", "(farther < bound)"),
        ("new.met & ~below_bound", "~below_bound"),
        ("chosen.slot.eq(old_slot)", "chosen.slot.eq(new.slot)"),
        ("self.moved & ~new.met & ~new_wins", "~new.met & ~new_wins"),
        ("old.token << 4", "old.token << 3"),
        ("& ~written.full", ""),
        ("high.eq(high + carry)", "high.eq(high)"),
    ),
    (
        "all slots were compared", "the own slot stays the nearest", "a moved slot is nearer",
        "nothing is known",
    ),
    window=_SENT + Settle.loss_latency + 4,
    slow=True,
)  # fmt: skip
