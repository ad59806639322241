"""Chunk weights: joins the weights of channels, or of groups, to those of chunks."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.beat_packer import BeatPacker
from hw.config import EngineConfig
from hw.words import chunk_weights, weight_word


class ChunkWeights(wiring.Component):
    """Takes the weights of a row in the order of its positions, and gives each chunk its own.

    Ports:
        ``start`` In pulse, and ``chunks`` In, constant from it on: a row of so many chunks begins.
        ``complete`` Out: 1 from the cycle after its last chunk to the next start.
        ``weight`` In stream of weights: one a channel, or one a chunk where scales are shared.
        ``chunk`` Out, always-ready stream of `chunk_weights`.

    A chunk is offered on cycle `latency` after its last weight was taken; a weight a cycle.
    """

    latency = BeatPacker.latency

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "start": In(1),
                "chunks": In(range(config.max_chunks + 1)),
                "weight": In(stream.Signature(config.weight_bits)),
                "chunk": Out(stream.Signature(chunk_weights(config), always_ready=True)),
                "complete": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: D102
        m = Module()
        config, chunk = self._config, self.chunk.payload
        m.submodules.packer = packer = BeatPacker(config.weight_bits, weight_word(config).size)
        wiring.connect(m, wiring.flipped(self.weight), packer.word)
        m.d.comb += [
            packer.beat.ready.eq(1),
            self.chunk.valid.eq(packer.beat.valid),
            chunk.weights.eq(packer.beat.payload),
        ]
        with m.If(self.start):
            m.d.sync += [chunk.index.eq(0), self.complete.eq(0)]
        with m.Elif(self.chunk.valid):
            m.d.sync += [
                chunk.index.eq(chunk.index + 1),
                self.complete.eq(chunk.index == self.chunks - 1),
            ]
        return m
