"""DAU: the array of distance accumulation units, P dst x Q src x C channels a cycle."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.pipeline import delay, register, tree_sum
from hw.config import LEVEL_BITS, EngineConfig
from hw.words import chunk_word, weight_word


def dst_word(config: EngineConfig) -> data.ArrayLayout:
    """One chunk of each of the P dst of a tile: the unit of the packed dst stream."""
    return data.ArrayLayout(chunk_word(config), config.dst_lanes)


def distances(config: EngineConfig) -> data.ArrayLayout:
    """A distance for each src lane and dst lane, indexed [src][dst]."""
    row = data.ArrayLayout(config.distance_bits, config.dst_lanes)
    return data.ArrayLayout(row, config.src_lanes)


class DistanceElement(wiring.Component):
    """Accumulates ``d = sum_c w_c * (a_c - b_c)^2`` over the chunks of one pair.

    Source: docs/definition.md, 'Distance'.

    Ports: ``a``, ``b`` In: a chunk of each token; ``weight`` In: the weights of the chunk
    `weight_lag` cycles before; ``valid`` In: the chunk latency - 1 cycles before counts; ``first``
    In: it was the
    pair's first; ``distance`` Out: the sum so far; ``limit`` In, ``beyond`` Out: ``distance`` was
    above it a cycle before.

    What is the same for all pairs comes late, so that it is delayed once for all elements.
    A chunk on cycle 0 is in ``distance`` on cycle `latency`. One chunk a cycle, no back-pressure.
    Nothing overflows: ``distance`` holds max_channels of the largest weighted square.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "a": In(chunk_word(config)),
                "b": In(chunk_word(config)),
                "weight": In(weight_word(config)),
                "valid": In(1),
                "first": In(1),
                "distance": Out(config.distance_bits),
                "limit": In(config.distance_bits),
                "beyond": Out(1),
            }
        )

    latency = 4

    @property
    def weight_lag(self) -> int:
        """Cycles from a chunk to its weights: a shared one meets the sum of the squares."""
        return 2 if self._config.scale_group > 1 else 1

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        weighted = self._shared_weight(m) if self._config.scale_group > 1 else self._weights(m)

        # A cycle before the last the weighted sum of the chunk is known.
        with m.If(self.valid):
            m.d.sync += self.distance.eq(Mux(self.first, 0, self.distance) + weighted)
        m.d.sync += self.beyond.eq(self.distance > self.limit)
        return m

    def _squares(self, m: Module) -> list[Value]:
        """The squared differences, each of twice a level's bits.

        a + ~b is a - b - 1 with a carry where a > b, else the inverse of b - a; so the magnitude is
        the bits before the carry, exclusive-or the carry's inverse, and the carry. Left as that sum
        under the square, it becomes a fifth smaller than from a magnitude of its own.
        """
        squares: list[Value] = []
        for c in range(self._config.channel_lanes):
            sum_ = Signal(LEVEL_BITS + 1, name=f"sum_{c}")
            square = Signal(2 * LEVEL_BITS, name=f"square_{c}")
            carry = sum_[LEVEL_BITS]
            magnitude = (sum_[:LEVEL_BITS] ^ (~carry).replicate(LEVEL_BITS)) + carry
            m.d.comb += [
                sum_.eq(self.a[c] + (~self.b[c])[:LEVEL_BITS]),
                square.eq(magnitude * magnitude),
            ]
            squares.append(square)
        return squares

    def _weights(self, m: Module) -> Value:
        """A weight per channel: squares, products and their sum, a register after each."""
        products: list[Value] = []
        for c, square in enumerate(self._squares(m)):
            squared = Signal(2 * LEVEL_BITS, name=f"squared_{c}")
            product = Signal(len(squared) + self._config.weight_bits, name=f"product_{c}")
            m.d.sync += squared.eq(square)
            m.d.sync += product.eq(squared * self.weight[c])
            products.append(product)
        return register(m, tree_sum(products), "weighted")

    def _shared_weight(self, m: Module) -> Value:
        """One weight: sum the squares first, so that there is one multiplier a chunk."""
        squares = self._squares(m)
        half = len(squares) // 2
        partial = [register(m, tree_sum(squares[i : i + half]), f"partial_{i}") for i in (0, half)]
        total = register(m, partial[0] + partial[1], "total")
        return register(m, total * self.weight[0], "weighted")


class Dau(wiring.Component):
    """Distances of P dst to Q src, C channels of each pair a cycle.

    Ports: ``chunk`` In, always-ready stream of ``dst`` (`dst_word`), ``src`` (a `chunk_word` a src
    lane), ``weight`` (`weight_word`), ``first`` and ``last`` (of the tile's chunks); ``tile`` Out,
    always-ready stream of `distances`, once a tile.

    ``limit`` In, a distance a src lane; ``beyond`` Out, a bit a pair, [src][dst]: what it has
    summed up so far was above its src's limit a cycle before.

    The distances of a tile whose last chunk comes on cycle 0 are valid on cycle `latency`, for
    that cycle. One chunk a cycle, tiles back to back, idle cycles anywhere; no back-pressure. A
    chunk is registered first: it comes from memories, which take their time.
    """

    latency = DistanceElement.latency + 1

    def __init__(self, config: EngineConfig):
        self._config = config
        chunk = data.StructLayout(
            {
                "dst": dst_word(config),
                "src": data.ArrayLayout(chunk_word(config), config.src_lanes),
                "weight": weight_word(config),
                "first": 1,
                "last": 1,
            }
        )
        super().__init__(
            {
                "chunk": In(stream.Signature(chunk, always_ready=True)),
                "tile": Out(stream.Signature(distances(config), always_ready=True)),
                "limit": In(data.ArrayLayout(config.distance_bits, config.src_lanes)),
                "beyond": Out(data.ArrayLayout(config.dst_lanes, config.src_lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config, latency = self._config, self.latency
        layout = self.chunk.payload.shape()
        chunk = data.View(layout, delay(m, self.chunk.payload.as_value(), 1, "chunk"))
        elements = {
            (p, q): DistanceElement(config)
            for q in range(config.src_lanes)
            for p in range(config.dst_lanes)
        }
        weight = delay(m, chunk.weight.as_value(), elements[0, 0].weight_lag, "weight")
        valid = delay(m, self.chunk.valid, latency - 1, "valid")
        first = delay(m, chunk.first, latency - 2, "first")
        for (p, q), element in elements.items():
            m.submodules[f"element_{p}_{q}"] = element
            m.d.comb += [
                element.a.eq(chunk.dst[p]),
                element.b.eq(chunk.src[q]),
                element.weight.eq(weight),
                element.valid.eq(valid),
                element.first.eq(first),
                self.tile.payload[q][p].eq(element.distance),
                element.limit.eq(self.limit[q]),
                self.beyond[q][p].eq(element.beyond),
            ]
        last = self.chunk.valid & self.chunk.payload.last
        m.d.comb += self.tile.valid.eq(delay(m, last, latency, "last"))
        return m
