"""Least two: for each src the nearest slot of a pass, and the distance of the second nearest."""

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.blocks.lookup import Lookup
from hw.blocks.pipeline import delay
from hw.config import EngineConfig
from hw.pair.dau import distances
from hw.pair.src_rows import src_index
from hw.words import TOKEN_FIELD


def nearest(config: EngineConfig) -> data.StructLayout:
    """What a pass finds for a src.

    Members: ``least``, the least distance, and its ``slot``; ``second``, that of the second nearest
    slot (all ones where there is none, which is more than any distance); ``met``: the slot of the
    src's group was among those compared.
    """
    return data.StructLayout(
        {
            "least": config.distance_bits,
            "slot": config.slot_bits,
            "second": config.distance_bits,
            "met": 1,
        }
    )


def nearest_lookup(config: EngineConfig) -> Lookup:
    """How what is known of a src is asked for."""
    return Lookup(src_index(config), nearest(config))


class LeastTwo(wiring.Component):
    """Merges tiles of distances into what is `nearest` to each src of a src tile.

    Source: docs/definition.md, 'Pairing': a tie goes to the lowest slot, and slots come ascending,
    so that a later one wins only where it is strictly nearer.

    Ports:
        ``tile`` In, always-ready stream of ``distances`` ([src lane][dst lane]), ``slots`` (of the
        dst lanes), ``lanes`` (those in use, the first ones), ``base`` (group * Q), ``first`` (of
        the src tile's dst tiles) and ``abandoned`` (no distance counts, only which slots were
        there); at the earliest `cycles` after the one before.
        ``group_slot`` Out `Lookup`: the slot of the group that a src was in before.
        ``found`` In `nearest_lookup`: no tile may be under way.

    The Q src of a group are merged one after another, so that one comparator tree serves all. A
    tile is merged `cycles` cycles after it came.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        tile = data.StructLayout(
            {
                "distances": distances(config),
                "slots": data.ArrayLayout(config.slot_bits, config.dst_lanes),
                "lanes": range(config.dst_lanes + 1),
                "base": src_index(config),
                "first": 1,
                "abandoned": 1,
            }
        )
        super().__init__(
            {
                "tile": In(stream.Signature(tile, always_ready=True)),
                "group_slot": Out(Lookup(src_index(config), TOKEN_FIELD)),
                "found": In(nearest_lookup(config)),
            }
        )

    @staticmethod
    def tree_levels(config: EngineConfig) -> int:
        """Cycles of the comparator tree over the P dst of a tile."""
        return (config.dst_lanes - 1).bit_length()

    @classmethod
    def cycles(cls, config: EngineConfig) -> int:
        """Cycles that a tile keeps the unit: a src each, and the way through the comparators."""
        return config.src_lanes + cls.tree_levels(config) + 3

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config, tile = self._config, self.tile.payload
        levels = self.tree_levels(config)

        # Rows of distances wait in a shift register, the next src's at its end.
        row_bits = config.distance_bits * config.dst_lanes
        rows = Signal(row_bits * config.src_lanes, reset_less=True)
        slots = Signal.like(tile.slots, reset_less=True)
        used = Signal(config.dst_lanes, reset_less=True)
        ignored = Signal(config.dst_lanes, reset_less=True)
        first = Signal(reset_less=True)
        left = Signal(range(config.src_lanes + 1))
        index = Signal(src_index(config), reset_less=True)
        turn = left != 0
        with m.If(turn):
            m.d.sync += [rows.eq(rows >> row_bits), left.eq(left - 1), index.eq(index + 1)]
        with m.If(self.tile.valid):
            m.d.sync += [
                rows.eq(tile.distances),
                slots.eq(tile.slots),
                *(used[lane].eq(lane < tile.lanes) for lane in range(config.dst_lanes)),
                *(
                    ignored[lane].eq((lane >= tile.lanes) | tile.abandoned)
                    for lane in range(config.dst_lanes)
                ),
                first.eq(tile.first),
                left.eq(config.src_lanes),
                index.eq(tile.base),
            ]
        # A src that stays for its turn is asked for a cycle before.
        m.d.comb += self.group_slot.index.eq(Mux(self.tile.valid, tile.base, index + turn))

        candidates = [
            _Candidate(
                rows.word_select(lane, config.distance_bits)
                | ignored[lane].replicate(config.distance_bits),
                slots[lane],
                Const((1 << config.distance_bits) - 1, config.distance_bits),
                used[lane] & (self.group_slot.entry == slots[lane]),
            )
            for lane in range(config.dst_lanes)
        ]
        for level in range(levels):
            candidates = [
                _lesser(m, candidates[place : place + 2], f"{level}_{place // 2}")
                for place in range(0, len(candidates), 2)
            ]
        (nearest_of_tile,) = candidates
        self._merge(m, nearest_of_tile, turn, index, first, levels)
        return m

    def _merge(
        self, m: Module, new: "_Candidate", turn: Value, index: Value, first: Value, levels: int
    ) -> None:
        """Merge the tile's nearest with those of the tiles before."""
        config = self._config
        m.submodules.known = known = Memory(
            shape=nearest(config), depth=len(src_index(config)), init=[]
        )
        read, write = known.read_port(), known.write_port()
        # On cycle 0 the state is asked for, on cycle 1 it is merged, on cycle 2 written.
        place = delay(m, index, levels, "place")
        valid = delay(m, turn, levels, "valid")
        begins = delay(m, first, levels, "begins")
        m.d.comb += read.addr.eq(Mux(valid, place, self.found.index))
        m.d.comb += self.found.entry.eq(read.data)
        place, valid = delay(m, place, 1, "merged_place"), delay(m, valid, 1, "merged_valid")
        begins = delay(m, begins, 1, "merged_begins")
        new = new.delayed(m, "new")
        old = read.data
        merged = Signal(nearest(config), reset_less=True)
        closer = new.least < old.least
        m.d.sync += [
            merged.least.eq(Mux(begins | closer, new.least, old.least)),
            merged.slot.eq(Mux(begins | closer, new.slot, old.slot)),
            merged.second.eq(
                Mux(
                    begins,
                    new.second,
                    Mux(closer, _least(old.least, new.second), _least(new.least, old.second)),
                )
            ),
            merged.met.eq(new.met | (old.met & ~begins)),
        ]
        m.d.comb += [
            write.en.eq(delay(m, valid, 1, "written")),
            write.addr.eq(delay(m, place, 1, "written_place")),
            write.data.eq(merged),
        ]


class _Candidate:
    """The nearest of some slots: see `nearest`."""

    def __init__(self, least: Value, slot: Value, second: Value, met: Value):
        self.least, self.slot, self.second, self.met = least, slot, second, met

    def delayed(self, m: Module, name: str) -> "_Candidate":
        """The same a cycle later."""
        return _Candidate(
            *(
                delay(m, value, 1, f"{name}_{part}")
                for part, value in (
                    ("least", self.least), ("slot", self.slot), ("second", self.second),
                    ("met", self.met),
                )
            )
        )  # fmt: skip


def _least(left: Value, right: Value) -> Value:
    return Mux(right < left, right, left)


def _lesser(m: Module, pair: list[_Candidate], name: str) -> _Candidate:
    """The nearest of two candidates' slots, a cycle later; a tie goes to the first."""
    if len(pair) == 1:
        return pair[0].delayed(m, f"only_{name}")
    left, right = pair
    take = Signal(name=f"take_right_{name}")
    m.d.comb += take.eq(right.least < left.least)
    both = _Candidate(
        Mux(take, right.least, left.least),
        Mux(take, right.slot, left.slot),
        Mux(take, _least(left.least, right.second), _least(left.second, right.least)),
        left.met | right.met,
    )
    return both.delayed(m, f"lesser_{name}")
