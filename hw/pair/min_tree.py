"""Min tree: for each src the dst slot of least distance, over all tiles of dst."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.config import EngineConfig
from hw.pair.dau import distances


def nearest(config: EngineConfig) -> data.StructLayout:
    """A src's nearest dst: its ``slot`` and its ``distance``."""
    return data.StructLayout({"slot": config.slot_bits, "distance": config.distance_bits})


class MinTree(wiring.Component):
    """The least (distance, slot) over the P dst of a tile, merged with each src's running least.

    A tie goes to the lowest slot (docs/definition.md, 'Pairing'): tiles come in slot order, so a
    later tile wins only where it is strictly nearer.

    Ports: ``tile`` In, always-ready stream of ``distances`` ([src][dst]), ``base`` (slot of dst
    lane 0, a multiple of P), ``valid_dst`` (a bit a dst lane; lane 0's is always 1), ``first``
    and ``last`` (of a src tile's dst tiles); ``best`` Out, always-ready stream of `nearest`, an
    entry a src lane, once a src tile.

    A src tile whose last dst tile comes on cycle 0 is in ``best`` on cycle `latency`, for that
    cycle. One tile a cycle, no back-pressure.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        tile = data.StructLayout(
            {
                "distances": distances(config),
                "base": config.slot_bits,
                "valid_dst": config.dst_lanes,
                "first": 1,
                "last": 1,
            }
        )
        best = data.ArrayLayout(nearest(config), config.src_lanes)
        super().__init__(
            {
                "tile": In(stream.Signature(tile, always_ready=True)),
                "best": Out(stream.Signature(best, always_ready=True)),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from a tile to its least distances: a level of the tree each, and the merge."""
        return (self._config.dst_lanes - 1).bit_length() + 1

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        tile = self.tile.payload
        lane_bits = max(1, (self._config.dst_lanes - 1).bit_length())

        # A candidate is (key, lane); the key's top bit is 1 for a lane beyond the dst list.
        candidates: list[list[tuple[Value, Value]]] = [
            [
                (Cat(row[p], ~tile.valid_dst[p]), Const(p, lane_bits))
                for p in range(self._config.dst_lanes)
            ]
            for row in (tile.distances[q] for q in range(self._config.src_lanes))
        ]
        control = Cat(self.tile.valid, tile.first, tile.last, tile.base)
        level = 0
        while len(candidates[0]) > 1:
            candidates = [
                [
                    _lesser(m, row[i], row[i + 1], lane_bits, f"{q}_{level}_{i // 2}")
                    for i in range(0, len(row), 2)
                ]
                for q, row in enumerate(candidates)
            ]
            delayed = Signal(len(control), name=f"control_{level}")
            m.d.sync += delayed.eq(control)
            control = delayed
            level += 1

        valid, first, last, base = control[0], control[1], control[2], control[3:]
        m.d.sync += self.best.valid.eq(valid & last)
        for q, row in enumerate(candidates):
            key, lane = row[0]
            distance = key[:-1]
            best = self.best.payload[q]
            with m.If(valid & (first | (distance < best.distance))):
                m.d.sync += [best.distance.eq(distance), best.slot.eq(base | lane)]
        return m


def _lesser(
    m: Module, left: tuple[Value, Value], right: tuple[Value, Value], lane_bits: int, name: str
) -> tuple[Value, Value]:
    """The candidate of least key, a cycle later; a tie goes to ``left``, the lower lane."""
    key = Signal(len(left[0]), name=f"key_{name}")
    lane = Signal(lane_bits, name=f"lane_{name}")
    take_right = Signal(name=f"take_right_{name}")
    m.d.comb += take_right.eq(right[0] < left[0])
    m.d.sync += [
        key.eq(Mux(take_right, right[0], left[0])),
        lane.eq(Mux(take_right, right[1], left[1])),
    ]
    return key, lane
