"""Least two: what a tile makes of what is known of a src."""

from dataclasses import replace
from typing import Any

from amaranth.hdl import Assert, Assume, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from formal.proof import Proof
from formal.windows import ago, no_reset
from hw.config import PRESETS
from hw.pair.least_two import LeastTwo, nearest
from hw.pair.src_rows import src_index
from hw.words import TOKEN_FIELD

_CONFIG = replace(PRESETS["tiny"], dst_lanes=3)
"""A comparator tree with a lane that has no partner."""
_CYCLES = LeastTwo.cycles(_CONFIG)
_NONE = (1 << _CONFIG.distance_bits) - 1
"""In place of a distance: there is none."""


class _Properties(wiring.Component):
    """A src, any, is followed through a tile that comes alone."""

    def __init__(self, unit: Any):
        self._unit = unit(_CONFIG)
        super().__init__(
            {
                "comes": In(1),
                "tile": In(self._unit.tile.payload.shape()),
                "src": In(src_index(_CONFIG)),
                "group_slot": In(TOKEN_FIELD),
                "slot_of_others": In(TOKEN_FIELD),
                "reached": Out(3),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        no_reset(m)
        tile, asked = self.tile, ago(m, unit.group_slot.index, 1)
        m.d.comb += [
            unit.tile.valid.eq(self.comes),
            unit.tile.payload.eq(tile),
            unit.found.index.eq(self.src),
            unit.group_slot.entry.eq(Mux(asked == self.src, self.group_slot, self.slot_of_others)),
            Assume(self.src == ago(m, self.src, 1)),
            Assume(self.group_slot == ago(m, self.group_slot, 1)),
            Assume(tile.base % _CONFIG.src_lanes == 0),
            Assume((tile.lanes >= 1) & (tile.lanes <= _CONFIG.dst_lanes)),
        ]
        # What was known is looked up as the tile comes, and again when it has been merged.
        since = _CYCLES + 1
        comes = [ago(m, self.comes, back) for back in range(since + _CYCLES + 1)]
        alone = comes[since] & ~Cat(comes[:since]).any() & ~Cat(comes[since + 1 :]).any()
        new: Any = unit.found.entry
        old = data.View(nearest(_CONFIG), ago(m, new.as_value(), since))
        due = self._merged(m, old, since)
        lane = self.src % _CONFIG.src_lanes
        is_in_tile = alone & (ago(m, tile.base, since) == self.src - lane)
        first = ago(m, tile.first, since)
        with m.If(is_in_tile):
            m.d.comb += [
                Assert(new.least == due.least),
                Assert(new.second == due.second),
                Assert((due.least == _NONE) | (new.slot == due.slot)),
                Assert(new.met == due.met),
            ]
        with m.If(alone & ~is_in_tile):
            m.d.comb += Assert(new.as_value() == old.as_value())
        m.d.comb += self.reached.eq(
            Cat(
                is_in_tile & first & (new.second != _NONE),
                is_in_tile & ~first & (new.slot != old.slot) & (new.second == old.least),
                alone & ~is_in_tile,
            )
        )
        return m

    def _merged(self, m: Module, old: data.View, since: int) -> Any:
        """What is known once the tile's distances are seen one by one, from the lowest slot up."""
        tile = self.tile
        first = ago(m, tile.first, since)
        known = Signal(nearest(_CONFIG), name="known")
        m.d.comb += [
            known.least.eq(Mux(first, _NONE, old.least)),
            known.second.eq(Mux(first, _NONE, old.second)),
            known.slot.eq(old.slot),
            known.met.eq(old.met & ~first),
        ]
        for number in range(_CONFIG.dst_lanes):
            distance = Signal(_CONFIG.distance_bits, name=f"distance_{number}")
            of_lanes = [tile.distances[lane][number] for lane in range(_CONFIG.src_lanes)]
            m.d.comb += [Assume(each != _NONE) for each in of_lanes]
            used = number < tile.lanes
            for lane, each in enumerate(of_lanes):
                with m.If(self.src % _CONFIG.src_lanes == lane):
                    m.d.comb += distance.eq(Mux(used & ~tile.abandoned, each, _NONE))
            met = used & (tile.slots[number] == self.group_slot)
            seen, slot = ago(m, distance, since), ago(m, tile.slots[number], since)
            after = Signal(nearest(_CONFIG), name=f"known_{number}")
            nearer: Value = seen < known.least
            m.d.comb += [
                after.least.eq(Mux(nearer, seen, known.least)),
                after.slot.eq(Mux(nearer, slot, known.slot)),
                after.second.eq(
                    Mux(nearer, known.least, Mux(seen < known.second, seen, known.second))
                ),
                after.met.eq(known.met | ago(m, met, since)),
            ]
            known = after
        return known


PROOF = Proof(
    LeastTwo,
    f"a tile of {_CONFIG.src_lanes} src and up to {_CONFIG.dst_lanes} dst, distances of"
    f" {_CONFIG.distance_bits} bits, whatever was known before: each src's least, its slot and the"
    " second are what one finds distance by distance, a tie going to the lower slot; nothing counts"
    " that is abandoned or beyond the lanes in use; no other src changes",
    _Properties,
    (
        ("right.least < left.least)", "right.least <= left.least)"),
        ("closer = new.least < old.least", "closer = new.least <= old.least"),
        ("Mux(take, _least(left.least, right.second), ", "Mux(take, left.least, "),
        ("_least(left.second, right.least))", "left.second)"),
        ("_least(old.least, new.second)", "old.least"),
        ("_least(new.least, old.second)", "old.second"),
        ("new.met | (old.met & ~begins)", "new.met"),
        ("(lane >= tile.lanes) | tile.abandoned", "tile.abandoned"),
        ("used[lane].eq(lane < tile.lanes", "used[lane].eq(lane <= tile.lanes"),
        ("tile.base, index + turn", "tile.base, index"),
        ("left.met | right.met", "left.met"),
    ),
    (
        "two distances are found at first", "a nearer slot comes later",
        "a tile of other src",
    ),
    window=2 * _CYCLES + 2,
    slow=True,
)  # fmt: skip
